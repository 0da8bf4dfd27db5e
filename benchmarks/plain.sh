#!/bin/sh
# The same work without the pipeline: the very same tools in the very same environments, one after the other, and nothing
# that the pipeline adds (no snapshot, no proof, no report). What benchmarks/run.py compares with; docs/performance.md
# says what is the same and what is not.
#
#   plain.sh            all steps
#   plain.sh lint scan  some of them
#
# Works in the project's folder. run.py sets: ENVIRONMENTS (the pipeline's, by name and digest), OSV_URL, BUILDER_IMAGE,
# RUNTIME_IMAGE, WHEELS, PYTHON (with this package), SCRATCH (a folder), NAME (of what is started).
set -eu

tool() {
    found=$(ls -d "$ENVIRONMENTS/$1"-*/bin/"$2" | head -n 1)
    shift 2
    "$found" "$@"
}

libraries() {
    ls -d "$ENVIRONMENTS"/project-*/lib/python3.*/site-packages | head -n 1
}

lint() {
    tool lint ruff check --quiet --no-cache --extend-select E,F,W,C90,RUF100 src tests
    tool lint pylint --persistent=n --init-hook "import sys; sys.path += ['$(libraries)', '.']" src tests/*.py
}

scan() {
    tool scan python -m bandit --quiet --recursive --exit-zero --format json --output "$SCRATCH/bandit.json" src tests
}

secrets() {
    tool secrets detect-secrets scan --all-files src tests Dockerfile README.md pyproject.toml > "$SCRATCH/secrets.json"
}

audit() {
    tool audit pip-audit --require-hashes --disable-pip --vulnerability-service osv --osv-url "$OSV_URL" \
        --requirement requirements.txt --format json --output "$SCRATCH/audit.json" --progress-spinner off
    tool audit cyclonedx-py requirements --output-file "$SCRATCH/sbom.json" requirements.txt
}

test_() {
    tool project python -m pytest -q -p no:cacheprovider --cov src --cov-report "xml:$SCRATCH/coverage.xml" \
        -m "not system and not preflight and not canary" --junitxml "$SCRATCH/tests.xml" tests
}

build() {
    rm -rf "$SCRATCH/context"
    mkdir "$SCRATCH/context"
    cp -r Dockerfile src requirements.txt "$SCRATCH/context"
    cp -r "$WHEELS" "$SCRATCH/context/wheelhouse"
    DOCKER_BUILDKIT=0 docker build --quiet --network none --build-arg "BUILDER_IMAGE=$BUILDER_IMAGE" \
        --build-arg "RUNTIME_IMAGE=$RUNTIME_IMAGE" --tag "$NAME:latest" "$SCRATCH/context"
}

smoke() {
    "$PYTHON" -m benchmarks.plain_containers smoke "$NAME:latest" "$(ls -d "$ENVIRONMENTS"/project-*/bin/python)" \
        -m pytest -q -p no:cacheprovider tests
}

canary() {
    "$PYTHON" -m benchmarks.plain_containers canary "$NAME:latest"
}

push() {
    mkdir -p "$SCRATCH/registry"
    cat > "$SCRATCH/registry.yml" <<EOF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $SCRATCH/registry}}
http: {addr: "127.0.0.1:$REGISTRY_PORT"}
EOF
    docker-registry serve "$SCRATCH/registry.yml" > "$SCRATCH/registry.log" 2>&1 &
    trap "kill $!" EXIT
    registry=127.0.0.1:$REGISTRY_PORT
    until curl --silent --fail --output "$SCRATCH/ready.json" "http://$registry/v2/"; do sleep 0.02; done
    docker tag "$NAME:latest" "$registry/$NAME:latest"
    docker push --quiet "$registry/$NAME:latest"
    # Read back byte by byte, as the manifest names it; then pulled by its digest, and started as a deployment would.
    curl --silent --fail --header "Accept: application/vnd.docker.distribution.manifest.v2+json" \
        --output "$SCRATCH/manifest.json" "http://$registry/v2/$NAME/manifests/latest"
    for digest in $(grep -o 'sha256:[0-9a-f]\{64\}' "$SCRATCH/manifest.json"); do
        curl --silent --fail --output "$SCRATCH/blob" "http://$registry/v2/$NAME/blobs/$digest"
        echo "${digest#sha256:}  $SCRATCH/blob" | sha256sum --check --quiet
    done
    digest=sha256:$(sha256sum "$SCRATCH/manifest.json" | cut -d " " -f 1)
    docker pull --quiet "$registry/$NAME@$digest"
    docker run --detach --name "$NAME-pulled" --read-only --cap-drop ALL --security-opt no-new-privileges \
        --pids-limit 64 --memory 128m --publish 127.0.0.1::8080 "$registry/$NAME@$digest" > "$SCRATCH/pulled.id"
    address=$(docker port "$NAME-pulled" 8080 | head -n 1)
    until curl --silent --fail --output "$SCRATCH/ready.json" "http://$address/health"; do sleep 0.05; done
    docker rm --force "$NAME-pulled" > "$SCRATCH/removed"
    docker rmi "$registry/$NAME:latest" > "$SCRATCH/removed"
}

[ $# -gt 0 ] || set -- lint scan secrets audit test build smoke canary push
for step in "$@"; do
    case $step in
        test) test_ ;;
        *) "$step" ;;
    esac
done
