"""Signing as the identity that a CI system gives a job: sigstore's certificate authority and transparency log.

Put together here, since it talks to services on the network; what is signed, and how it is verified, is in
:mod:`pipeline.attestation`.
"""

# pylint: disable=import-outside-toplevel  # an optional part, and one that takes half a second

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from pipeline.attestation.certificate import claimed
from pipeline.attestation.envelope import NotTrusted
from pipeline.attestation.identity import ByIdentity, require_extra
from pipeline.attestation.statement import Statement
from pipeline.core.ports import Redactor
from pipeline.errors import ConfigurationError, CouldNotTell

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig
    from sigstore.sign import Signer
    from sigstore.verify import Verifier

T = TypeVar("T")

LIMIT_S = 120.0
"""How long one step with sigstore's services may take; the library itself would wait for ever."""
_ADVICE = (
    "On GitHub the job needs 'permissions: id-token: write'; else run again, since the services may be out of reach."
)


class KeylessSigner:
    """Fulfils :class:`pipeline.attestation.signing.Keyless`."""

    def __init__(self, signer: Signer, verifier: Verifier) -> None:
        self._signer = signer
        self._verifier = verifier

    def signed(self, statements: Sequence[Statement]) -> tuple[tuple[tuple[Statement, bytes], ...], ByIdentity]:
        """Each statement with its bundle, and the identity that sigstore's certificate names.

        Raises:
            CouldNotTell: the transparency log does not take one, or a certificate is none of sigstore's kind.
        """
        from sigstore.dsse import Statement as Signable

        def sign(statement: Statement) -> bytes:
            return self._signer.sign_dsse(Signable(statement.render())).to_json().encode()

        with _explained("sign"):
            every = _in_time(lambda: tuple((statement, sign(statement)) for statement in statements))
            # Not what the token says: on GitHub the certificate names the workflow and not the token's subject.
            first = claimed(every[0][1])
        return every, ByIdentity(name=first.identity, issuer=first.issuer, verifier=self._verifier)


def open_keyless(trust_config: str, source: str, redact: Redactor) -> KeylessSigner | None:
    """The signer for the identity that this job has by itself; none where there is no such identity.

    ``trust_config`` is a private sigstore instance in the form of its ``ClientTrustConfig`` (JSON), called ``source``;
    without one it is the public instance.

    Raises:
        ConfigurationError: the extra is missing, or the file is no such thing.
        CouldNotTell: the job may not have an identity, or sigstore's services do not do their part.
    """
    require_extra()
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken, detect_credential
    from sigstore.sign import Signer, SigningContext
    from sigstore.verify import Verifier

    with _explained("tell who this job is"):
        token = _in_time(detect_credential)
        if not token:
            return None
        redact.also(token)
        identity = IdentityToken(token)
    with _explained("tell where its services are"):
        config = _private(trust_config, source) if trust_config else _in_time(ClientTrustConfig.production)
    with _explained("give a certificate"):
        context = SigningContext.from_trust_config(config)
        # The certificate is asked for here already, and is good for some minutes.
        signer = _in_time(lambda: Signer(identity, context))
        return KeylessSigner(signer, Verifier(trusted_root=config.trusted_root))


def _private(text: str, source: str) -> ClientTrustConfig:
    from sigstore.models import ClientTrustConfig

    try:
        return ClientTrustConfig.from_json(text)
    except ValueError as error:
        raise ConfigurationError(f"{source} is no trust configuration in sigstore's form.") from error


@contextlib.contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Put whatever goes wrong with sigstore's services into a sentence."""
    from requests import RequestException
    from sigstore.errors import Error

    try:
        yield
    except (Error, RequestException, NotTrusted, ValueError, OSError) as error:
        raise _trouble(doing, error) from error
    except Exception as error:
        # The clients of Fulcio and Rekor have errors of their own, whose classes the library does not publish.
        if not type(error).__module__.startswith("sigstore."):
            raise
        raise _trouble(doing, error) from error


def _in_time(call: Callable[[], T]) -> T:
    """What the call gives, if it does so in time. Else it is left behind in its thread, which ends with the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # pylint: disable=broad-exception-caught  # raised again where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(LIMIT_S)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"there was no answer within {LIMIT_S:.0f} s") from error


def _trouble(doing: str, error: Exception) -> CouldNotTell:
    said = str(error).strip().partition("\n")[0][:300] or type(error).__name__
    return CouldNotTell(
        f"Sigstore could not {doing}, so nothing was signed.", why=f"It says: {said.rstrip('.')}.", advice=_ADVICE
    )
