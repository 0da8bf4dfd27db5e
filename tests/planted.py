"""Files with planted credentials, and files that only look as if they had one, for the tests of the secrets stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tests.support import KEY_ID, PASSWORD

DIGEST = hashlib.sha256(b"").hexdigest()
Files = Mapping[str, str | bytes]

SETTINGS: Files = {
    "settings.py": f'DB_PASSWORD = "{PASSWORD}"\n',
    "annotated.py": f'DB_PASSWORD: str = "{PASSWORD}"\n',
    "default.py": f'X = os.environ.get("DB_PASSWORD", "{PASSWORD}")\n',
    "argument.py": f'connect(client_id="x", client_secret="{PASSWORD}")\n',
    "comment.py": f'DB_PASSWORD = "{PASSWORD}"  # for example\n',
    ".env": f"DB_PASSWORD={PASSWORD}\n",
    "twice.env": f"A=1\nA=2\nB=100%\nDB_PASSWORD={PASSWORD}\n",
    "second.env": f'KEY="{KEY_ID}"\nDB_PASSWORD={PASSWORD}\n',
    "a.yml": f"db_password: {PASSWORD}\n",
    "documents.yaml": f"a: b\n---\ndb_password: {PASSWORD}\n",
    "remark.yml": f"# db_password: {PASSWORD}\na: b\n",
    "a.ini": f"[db]\npassword = {PASSWORD}\n",
    "a.json": f'{{"db_password": "{PASSWORD}"}}\n',
    "a.toml": f'db_password = "{PASSWORD}"\n',
    "a.sh": f"export DB_PASSWORD={PASSWORD}\n",
    "Dockerfile": f"ENV DB_PASSWORD={PASSWORD}\n",
    "README.md": f"Log in with password: {PASSWORD}\n",
    "a.ipynb": json.dumps({"source": [f'password = "{PASSWORD}"\n']}),
    "wide.py": f'DB_PASSWORD = "{PASSWORD}"\n'.encode("utf-16"),
    "latin.py": f'# caf\xe9\nDB_PASSWORD = "{PASSWORD}"\n'.encode("latin-1"),
    "token.py": f'API_TOKEN = "{PASSWORD}"\n',
}
FORMS: Files = {
    "style.css": f"/* {KEY_ID} */\n",
    "poetry.lock": f'x = "{KEY_ID}"\n',
    "go.sum": f"{KEY_ID}\n",
    "picture.svg": f"<svg>{KEY_ID}</svg>\n",
    "swagger.json": f'{{"x": "{KEY_ID}"}}\n',
    "data.bin": b"\0\1" + KEY_ID.encode() + b"\0\xff",
    "no_extension": f"{KEY_ID}\n",
    "call.py": f'connect("{KEY_ID}", (1))\n',
    "min.js": "a " * 60_000 + f'"{KEY_ID}"\n',
    "key.pem": "-----BEGIN RSA PRIV" + "ATE KEY-----\r\n" + "M" * 64 + "\r\n-----END RSA PRIV" + "ATE KEY-----\r\n",
    "large.txt": "some text\n" * 5000 + "-----BEGIN PRIV" + "ATE KEY-----\n",
    "address.txt": "postgres://app:" + "x7Kp2mQ9" + "@db.internal/app\n",
    "github.txt": "gh" + "p_" + "a1B2" * 9 + "\n",
    "slack.txt": "xox" + "b-" + "123456789012-123456789012-" + "aB3dE5gH7jK9mN1pQ3sT5vX7\n",
    "jwt.txt": "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0." + "x" * 43 + "\n",
    "entropy.py": 'X = "' + "q8Zr2LmV0pTn" + "6XwBk4YsJc9D" + 'hGfE1uAo"\n',
}
HARMLESS: Files = {
    "requirements.txt": f"a==1 \\\n    --hash=sha256:{DIGEST}\n",
    "package-lock.json": '{"integrity": "sha512-' + "Zm9vYmFyYmF6" * 7 + '=="}\n',
    "base.lock": f'sha256 = "{DIGEST}"\n',
    ".pre-commit-config.yaml": f"rev: {DIGEST[:40]}\n",
    "workflow.yml": f"uses: actions/checkout@{DIGEST[:40]}\n",
    "settings.py": 'DB_PASSWORD = os.environ["DB_PASSWORD"]\npassword = getpass()\nif token == "else":\n    pass\n',
    ".env.example": "DB_PASSWORD=<your password>\nAPI_KEY=${API_KEY}\nEMPTY_SECRET=\nPASSWORD_FILE=/run/secrets/db\n",
    "k8s.yml": "secretKeyRef:\n  name: db\nsecretName: app-tls-1\nmax_tokens: 4096\n",
    "README.md": "The password: a word that only you know. See https://host/login?user=x.\n",
    "empty.txt": b"",
}  # fmt: skip
