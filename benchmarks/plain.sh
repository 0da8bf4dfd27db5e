#!/bin/sh
# The same work without the pipeline: the very same tools in the very same environments, one after the other, and nothing
# that the pipeline adds (no snapshot, no proof, no report). What benchmarks/run.py compares with.
#
#   plain.sh            all steps
#   plain.sh lint scan  some of them
#
# Works in the project's folder. run.py sets: ENVIRONMENTS (the pipeline's, by name and digest), OSV_URL, BUILDER_IMAGE,
# RUNTIME_IMAGE, WHEELS, TRAFFIC (the canary's requests), SCRATCH (a folder), NAME (of what is started).
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

# A hardened container; prints its address once it answers.
started() {
    docker run --detach --name "$1" --read-only --cap-drop ALL --security-opt no-new-privileges --pids-limit 64 \
        --memory 256m --publish 127.0.0.1::8080 "$NAME:latest" > "$SCRATCH/$1.id"
    address="http://$(docker port "$1" 8080 | head -n 1)"
    until curl --silent --fail --output "$SCRATCH/ready.json" "$address/health"; do sleep 0.1; done
    echo "$address"
}

ended() {
    docker stop "$@" > "$SCRATCH/stopped"
    docker rm "$@" >> "$SCRATCH/stopped"
}

smoke() {
    address=$(started "$NAME-smoke")
    tool project python -m pytest -q -p no:cacheprovider -m "system or preflight" --base-url "$address" tests
    ended "$NAME-smoke"
}

canary() {
    one=$(started "$NAME-candidate")
    two=$(started "$NAME-release")
    three=$(started "$NAME-twin")
    tool project python "$TRAFFIC" "$one" "$two" "$three"
    ended "$NAME-candidate" "$NAME-release" "$NAME-twin"
}

push() {
    mkdir -p "$SCRATCH/registry"
    cat > "$SCRATCH/registry.yml" <<EOF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $SCRATCH/registry}}
http: {addr: "127.0.0.1:$REGISTRY_PORT"}
EOF
    docker-registry serve "$SCRATCH/registry.yml" &
    until curl --silent --fail --output "$SCRATCH/ready.json" "http://127.0.0.1:$REGISTRY_PORT/v2/"; do sleep 0.1; done
    docker tag "$NAME:latest" "127.0.0.1:$REGISTRY_PORT/$NAME:latest"
    docker push --quiet "127.0.0.1:$REGISTRY_PORT/$NAME:latest"
    docker rmi "127.0.0.1:$REGISTRY_PORT/$NAME:latest" > "$SCRATCH/removed"
    kill $!
}

[ $# -gt 0 ] || set -- lint scan secrets audit test build smoke canary push
for step in "$@"; do
    case $step in
        test) test_ ;;
        *) "$step" ;;
    esac
done
