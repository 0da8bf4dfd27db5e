"""The options of the commands about signed images; :mod:`pipeline.image_command` carries them out."""

from __future__ import annotations

import argparse

from pipeline.errors import ConfigurationError

PROMOTE = "Give an image in a registry another tag, if its signature and attestations verify and say pass."


def of_verify(command: argparse.ArgumentParser) -> None:
    """Those of ``verify`` that are about an image."""
    command.add_argument(
        "--image", metavar="REF", default="", help="an image, as host/repository:tag or oci:FOLDER:tag"
    )
    _of_both(command)


def of_promote(command: argparse.ArgumentParser) -> None:
    """Those of ``promote``."""
    command.add_argument("image", metavar="REF", help="host/repository:tag or @digest; a mere tag is of push.registry")
    command.add_argument("--to", metavar="TAG", required=True, help="the tag that it gets")
    _of_both(command)


def _of_both(command: argparse.ArgumentParser) -> None:
    command.add_argument("--key", metavar="FILE", default="", help="of an image: the public key (PEM) that counts")
    command.add_argument("--identity", metavar="NAME", default="", help="of an image: the keyless identity that counts")
    command.add_argument("--issuer", metavar="URL", default="", help="of an image: who must vouch for the identity")
    command.add_argument(
        "--trusted-root", metavar="FILE", default="", help="of an image: sigstore's root of trust for the identity"
    )
    command.add_argument("--policy", metavar="FILE", default="", help="of an image: what is demanded of it (TOML)")


def is_wanted(options: argparse.Namespace) -> bool:
    """Whether ``verify`` is about an image.

    Raises:
        ConfigurationError: it is about both an image and a report, or has options that belong to the other.
    """
    if options.image and options.reports:
        raise ConfigurationError("Either a report is verified or an image.", advice="Leave one of the two out.")
    about_images = (options.key, options.policy, options.identity, options.issuer, options.trusted_root)
    if not options.image and any(about_images):
        raise ConfigurationError(
            "--key, --identity, --issuer, --trusted-root and --policy are for images.",
            advice="Name the image with --image.",
        )
    return bool(options.image)
