"""Is a LoRA there? Asked at the door, so that a typing error costs nobody a GPU."""

from collections.abc import Sequence

from jobs import aws, s3_keys
from jobs.character import Character
from jobs.character_store import CharacterStore
from jobs.errors import CharacterNotFound, RequestError
from jobs.ids import CHARACTER_PREFIX
from jobs.request import LoraBody


class LoraShelf:
    """The LoRAs below `loras/`: the operator's, for everybody, and the characters, each for its owner."""

    def __init__(self, bucket: str, characters: CharacterStore) -> None:
        self._bucket = bucket
        self._characters = characters

    def check(self, loras: Sequence[LoraBody], *, model: str, owner: str) -> None:
        """Raises RequestError naming the one that is not there, not ready, or not for this model."""
        for index, lora in enumerate(loras):
            param = f"loras[{index}].name"
            if lora.name.startswith(CHARACTER_PREFIX):
                self._check_character(lora.name, model=model, owner=owner, param=param)
            if not self._is_there(lora.name):
                raise RequestError(f"There is no LoRA '{lora.name}'.", param=param, code="lora_not_found")

    def _check_character(self, name: str, *, model: str, owner: str, param: str) -> None:
        try:
            character: Character = self._characters.get(name, owner=owner)
        except CharacterNotFound as error:
            raise RequestError(f"There is no LoRA '{name}'.", param=param, code="lora_not_found") from error
        if character.status != "ready":
            message = f"The character '{name}' cannot be used yet: its status is '{character.status}'."
            raise RequestError(message, param=param, code="character_not_ready")
        if character.model != model:
            message = f"The character '{name}' was trained for {character.model}, not for {model}."
            raise RequestError(message, param=param, code="character_of_another_model")

    def _is_there(self, name: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            aws.s3().head_object(Bucket=self._bucket, Key=s3_keys.lora(name))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise
        return True
