"""What the functions share: the domain's services, wired from the environment on first use."""

from functools import cache
from typing import TYPE_CHECKING

from jobs.keys import KeyStore
from jobs.settings import settings
from jobs.store import JobStore
from jobs.usage import UsageStore
from lambdas import webhook_services

if TYPE_CHECKING:
    from jobs.admission import Admission
    from jobs.audit import AuditTrail
    from jobs.calibration import CalibrationStore
    from jobs.casting import Casting
    from jobs.character_store import CharacterStore
    from jobs.derive import Derivations
    from jobs.drop.characters import CharacterFolders
    from jobs.drop.intake import Intake
    from jobs.fleet import FleetStore
    from jobs.images import Images
    from jobs.media import MediaBucket
    from jobs.queue import JobQueues
    from jobs.submit import Submitter
    from jobs.tally import TallyStore

# A function imports what it uses: most need a few of these, and a cold start waits for every import.


@cache
def store() -> JobStore:
    """The job table."""
    return JobStore(settings().table)


@cache
def queues() -> "JobQueues":
    """The models' queues."""
    from jobs.queue import JobQueues

    return JobQueues(settings().queue_prefix)


@cache
def keys() -> KeyStore:
    """The API keys."""
    return KeyStore(settings().table)


@cache
def usage() -> UsageStore:
    """The accounts of the API keys."""
    return UsageStore(settings().table)


@cache
def tallies() -> "TallyStore":
    """What each owner's videos came to."""
    from jobs.tally import TallyStore

    return TallyStore(settings().table)


@cache
def audit() -> "AuditTrail":
    """What was changed by which API key."""
    from jobs.audit import AuditTrail

    return AuditTrail(settings().table)


@cache
def fleet() -> "FleetStore":
    """The fleet's registry."""
    from jobs.fleet import FleetStore

    return FleetStore(settings().table)


@cache
def admission() -> "Admission":
    """Estimates requests, or refuses what the fleet cannot run."""
    from jobs.admission import Admission
    from jobs.weights import WeightsShelf

    return Admission(
        fleet=fleet(),
        weights=WeightsShelf(media_bucket()).models,
        instance_types=settings().instance_types,
        acknowledged_licences=settings().acknowledged_licences,
        calibration=calibration().read,
    )


@cache
def calibration() -> "CalibrationStore":
    """What finished jobs taught the estimate."""
    from jobs.calibration import CalibrationStore

    return CalibrationStore(settings().table)


@cache
def media() -> "MediaBucket":
    """The media bucket's input files."""
    from jobs.media import MediaBucket

    return MediaBucket(settings().media_bucket)


@cache
def images() -> "Images":
    """Input images."""
    from jobs.images import Images

    return Images(media())


@cache
def characters() -> "CharacterStore":
    """The characters."""
    from jobs.character_store import CharacterStore

    return CharacterStore(settings().table)


@cache
def casting() -> "Casting":
    """The way in for characters."""
    from jobs.casting import Casting
    from jobs.character_material import Material
    from jobs.source_video import SourceVideos

    return Casting(
        store=characters(),
        submitter=submitter(),
        material=Material(media=media(), images=images(), videos=SourceVideos(media()), jobs=store()),
        default_model=settings().default_model,
    )


@cache
def character_folders() -> "CharacterFolders":
    """The drop folder's way in for characters."""
    from jobs.drop.characters import CharacterFolders

    return CharacterFolders(casting=casting(), bucket=media_bucket(), table=settings().table)


@cache
def submitter() -> "Submitter":
    """The acceptance path."""
    from jobs.loras import LoraShelf
    from jobs.submit import Submitter

    return Submitter(
        store=store(),
        queues=queues(),
        admit=admission(),
        read_image=images().read,
        keep_image=images().keep,
        cast=LoraShelf(media_bucket(), characters(), store()).cast,
        default_model=settings().default_model,
        usage=usage(),
        check_url=webhook_services.gate().check,
    )


@cache
def derivations() -> "Derivations":
    """Remixes, edits and extensions."""
    from jobs.derive import Derivations
    from jobs.source_video import SourceVideos

    return Derivations(store=store(), videos=SourceVideos(media()), default_model=settings().default_model)


@cache
def intake() -> "Intake":
    """The drop folder's way in."""
    from jobs.drop.intake import Intake

    return Intake(submitter=submitter(), table=settings().table)


def media_bucket() -> str:
    """The media bucket's name."""
    return settings().media_bucket


def forget() -> None:
    """Drop everything that was wired, for tests that change the environment."""
    for service in (
        store,
        queues,
        keys,
        usage,
        tallies,
        audit,
        fleet,
        admission,
        calibration,
        media,
        images,
        characters,
        casting,
        character_folders,
        submitter,
        derivations,
        intake,
        settings,
    ):
        service.cache_clear()
