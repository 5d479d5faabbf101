"""Loading models and tokenizers: a shipped one, a run's checkpoint, a folder, or a Hugging Face name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from agent_rl.core.errors import UserError
from agent_rl.core.manifest import newest_whole
from agent_rl.models import attention
from agent_rl.models.settings import ModelSettings

SHIPPED = Path(__file__).parent / "tiny"
SHIPPED_MODELS = ("tiny", "tiny_countdown", "tiny_countdown_code", "tiny_frozen_lake", "tiny_guess")
transformers.logging.disable_progress_bar()  # its bars would break the live display


def resolve(path: str) -> str:
    """Return the folder, or the name on the hub, that `path` stands for.

    Raises:
        UserError: `path` looks like a folder and is none, or is a run without a checkpoint.
    """
    if path in SHIPPED_MODELS:
        return str(SHIPPED.parent / path)
    folder = Path(path)
    if (folder / "run.json").is_file():
        newest = newest_whole(folder / "checkpoints")
        if newest is None:
            some = any((folder / "checkpoints").glob("step_*"))
            raise UserError(f"the run {folder} has {'none but damaged checkpoints' if some else 'no checkpoint yet'}")
        return str(newest)
    looks_local = folder.is_absolute() or path.startswith(".") or path.count("/") != 1
    if not folder.exists() and looks_local:
        raise UserError(f"model '{path}': there is no such folder, and it is not a name on the Hugging Face hub")
    if folder.exists() and not (folder / "config.json").is_file():
        raise UserError(f"model '{path}': the folder has no config.json, so it is no checkpoint in Hugging Face format")
    return path


def load_model(settings: ModelSettings) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal model with `agent_rl`'s attention, and its tokenizer.

    Raises:
        UserError: There is no such model, or its files are damaged.
    """
    place = resolve(settings.path)
    with _loading(settings, place):
        tokenizer = AutoTokenizer.from_pretrained(place)
        model = AutoModelForCausalLM.from_pretrained(
            place, dtype=getattr(torch, settings.dtype), attn_implementation=attention.NAME
        )
        return model.to(device_of(settings)).eval(), tokenizer


def load_scorer(settings: ModelSettings) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a decoder with a head of one number, `score`, with `agent_rl`'s attention, and its tokenizer.

    Raises:
        UserError: There is no such model, it is of another kind, or its files are damaged.
    """
    place = resolve(settings.path)
    with _loading(settings, place):
        numbers = AutoConfig.from_pretrained(place).num_labels
    if numbers != 1:
        raise UserError(f"model '{settings.path}' has no head of one number: its config.json says {numbers}")
    with _loading(settings, place):
        tokenizer = AutoTokenizer.from_pretrained(place)
        model, told = AutoModelForSequenceClassification.from_pretrained(
            place, dtype=getattr(torch, settings.dtype), attn_implementation=attention.NAME, output_loading_info=True
        )
    if not hasattr(model, "score"):
        raise UserError(f"model '{settings.path}' is no decoder with a head `score`: it is a {type(model).__name__}")
    if told["missing_keys"]:
        raise UserError(f"the files of model '{settings.path}' lack {', '.join(sorted(told['missing_keys']))}")
    return model.to(device_of(settings)).eval(), tokenizer


def load_skeleton(settings: ModelSettings, scores: bool = False) -> PreTrainedModel:
    """Return the model that `load_model`, or `load_scorer`, would, without memory for its weights: on `meta`.

    Raises:
        UserError: There is no such model, or its files are damaged.
    """
    place = resolve(settings.path)
    try:
        config = AutoConfig.from_pretrained(place)
    except Exception as error:  # as in `load_model`
        raise UserError(f"the configuration of model '{settings.path}' cannot be read: {_first_line(error)}") from error
    kind = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
    with torch.device("meta"):
        dtype = getattr(torch, settings.dtype)
        return kind.from_config(config, dtype=dtype, attn_implementation=attention.NAME).eval()


def load_config(settings: ModelSettings) -> PretrainedConfig:
    """Return the shape of a model's text part, without its weights.

    Raises:
        UserError: There is no such model, or its files are damaged.
    """
    place = resolve(settings.path)
    try:
        return AutoConfig.from_pretrained(place).get_text_config()
    except Exception as error:  # as in `load_model`
        raise UserError(f"the configuration of model '{settings.path}' cannot be read: {_first_line(error)}") from error


def load_tokenizer(settings: ModelSettings) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model alone.

    Raises:
        UserError: There is no such model, or its files are damaged.
    """
    place = resolve(settings.path)
    try:
        return AutoTokenizer.from_pretrained(place)
    except Exception as error:
        raise UserError(
            f"the tokenizer of '{settings.path}' cannot be loaded from {place}: {_first_line(error)}"
        ) from error


def device_of(settings: ModelSettings) -> torch.device:
    """Return the device that `settings` mean on this machine."""
    if settings.device != "auto":
        return torch.device(settings.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def _loading(settings: ModelSettings, place: str) -> Iterator[None]:
    """Let what goes wrong in the block be one line."""
    try:
        yield
    except Exception as error:  # safetensors, tokenizers and transformers raise types of their own for damaged files
        raise UserError(f"model '{settings.path}' cannot be loaded from {place}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
