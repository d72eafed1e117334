"""Which LoRAs a request means, and are they there? Asked at the door, so that a typing error costs nobody a GPU."""

import re
from collections.abc import Iterable

from jobs import aws, s3_keys
from jobs.character import Character, Version
from jobs.character_store import CharacterStore
from jobs.errors import CharacterNotFound, JobNotFound, RequestError
from jobs.ids import CHARACTER_PREFIX, is_character_id
from jobs.request import MAX_LORAS, Lora, LoraBody, RequestBody
from jobs.states import State
from jobs.store import JobStore
from jobs.training import lora_name
from models import catalog

_MENTION = re.compile(r"\[character:\s*([^\[\]]{1,200}?)\s*\]")
_VERSIONED = re.compile(rf"^({CHARACTER_PREFIX}[0-9A-HJKMNP-TV-Z]{{26}})(?:\.v([1-9][0-9]{{0,5}}))?$")


class LoraShelf:
    """The LoRAs below `loras/`: the operator's, for everybody, and the characters, each for its owner."""

    def __init__(self, bucket: str, characters: CharacterStore, jobs: JobStore) -> None:
        self._bucket = bucket
        self._characters = characters
        self._jobs = jobs

    def cast(self, body: RequestBody, *, model: str, owner: str) -> RequestBody:
        """The request with every character in its place: `[character:maria]` becomes the character's trigger, and its
        newest version one of the LoRAs, each by its name. Raises RequestError for one that is not there, not ready, or
        not for this model."""
        chosen = [self._chosen(lora, f"loras[{at}]", model, owner) for at, lora in enumerate(body.loras or ())]
        loras = {lora.name: lora for lora in chosen}
        changes: dict[str, object] = {}
        for field, texts in (("prompt", [body.prompt]), ("shots", [shot.prompt for shot in body.shots or ()])):
            for at, text in enumerate(texts):
                param = field if field == "prompt" else f"shots[{at}].prompt"
                for mention in _MENTION.findall(text or ""):
                    lora = self._by_name(mention, None, param, model, owner)
                    already = any(name.rpartition(".v")[0] == lora.name.rpartition(".v")[0] for name in loras)
                    if not already:
                        loras[lora.name] = lora
        if len(loras) > MAX_LORAS:
            message = f"The request names {len(loras)} LoRAs and characters; at most {MAX_LORAS} can be used."
            raise RequestError(message, param="loras", code="array_above_max_length")
        if body.prompt is not None:
            changes["prompt"] = self._spoken(body.prompt, owner)
        if body.shots is not None:
            changes["shots"] = [
                shot.model_copy(update={"prompt": self._spoken(shot.prompt, owner)}) for shot in body.shots
            ]
        if loras:
            changes["loras"] = [LoraBody(name=lora.name, scale=lora.scale) for lora in loras.values()]
        return body.model_copy(update=changes)

    def named(self, name: str, *, owner: str) -> Character:
        """A character by its id, or the newest of that name. Raises CharacterNotFound."""
        if is_character_id(name):
            return self._characters.get(name, owner=owner)
        wanted = name.casefold()
        for character in self._owned(owner):
            if character.name.casefold() == wanted:
                return character
        raise CharacterNotFound(name)

    def _owned(self, owner: str) -> Iterable[Character]:
        after: str | None = None
        while True:
            page = self._characters.list(owner, after=after, limit=100, order="desc")
            yield from page.characters
            if not page.has_more:
                return
            after = page.characters[-1].id

    def _spoken(self, text: str, owner: str) -> str:
        return _MENTION.sub(lambda match: self.named(match[1], owner=owner).trigger, text)

    def _chosen(self, lora: LoraBody, param: str, model: str, owner: str) -> Lora:
        if lora.character is not None:
            found = self._by_name(lora.character, lora.version, f"{param}.character", model, owner)
            return Lora(name=found.name, scale=lora.scale)
        name = lora.name or ""
        if name.startswith(CHARACTER_PREFIX):
            match = _VERSIONED.match(name)
            if match is None:
                raise _no_lora(name, f"{param}.name")
            version = int(match[2]) if match[2] else None
            found = self._by_name(match[1], version, f"{param}.name", model, owner)
            return Lora(name=found.name, scale=lora.scale)
        if not self._has(name, model):
            raise _no_lora(name, f"{param}.name")
        return Lora(name=name, scale=lora.scale)

    def _has(self, name: str, model: str) -> bool:
        """The operator's LoRA is there: one file for all experts, or one for each of the model's two."""
        if aws.exists(self._bucket, s3_keys.lora(name)):
            return True
        halves = [s3_keys.lora_of_expert(name, expert) for expert in ("high_noise", "low_noise")]
        return catalog.get(model).arch.experts > 1 and all(aws.exists(self._bucket, key) for key in halves)

    def _by_name(self, name: str, version: int | None, param: str, model: str, owner: str) -> Lora:
        try:
            character = self.named(name, owner=owner)
        except CharacterNotFound as error:
            shown = "".join(c if c.isprintable() else "?" for c in name[:60])
            message = f"There is no character '{shown}'."
            raise RequestError(message, param=param, code="character_not_found") from error
        if character.model not in (model, catalog.get(model).takes_loras_of):
            message = f"The character '{character.name}' was trained for {character.model}, not for {model}."
            raise RequestError(message, param=param, code="character_of_another_model")
        return Lora(name=lora_name(character.id, self._ready(character, version, param)))

    def _ready(self, character: Character, wanted: int | None, param: str) -> int:
        """The number of the newest version that is trained, or of the one that is wanted."""
        offered = [each for each in reversed(character.versions) if wanted in (None, each.number)]
        for version in offered:
            if self._state(version) is State.COMPLETED:
                return version.number
        which = f"The character '{character.name}'" + ("" if wanted is None else f" in version {wanted}")
        status = self._state(offered[0]) if offered else None
        why = "it has not been trained" if status is None else f"its training is '{status}'"
        raise RequestError(f"{which} cannot be used yet: {why}.", param=param, code="character_not_ready")

    def _state(self, version: Version) -> State | None:
        try:
            return self._jobs.get(version.job_id).status
        except JobNotFound:
            return None


def _no_lora(name: str, param: str) -> RequestError:
    return RequestError(f"There is no LoRA '{name}'.", param=param, code="lora_not_found")
