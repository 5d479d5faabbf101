"""`agent-rl export`: what others load, from a checkpoint: a plain model in Hugging Face format, or a peft adapter.

A checkpoint's weights are merged and whole already; they are copied file by file, so that a model of any size fits.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, GenerationConfig

from agent_rl.core.errors import UserError
from agent_rl.core.files import storing, write_json_atomic
from agent_rl.core.manifest import MANIFEST, damage, newest_whole
from agent_rl.models.loading import load_config, load_tokenizer, resolve
from agent_rl.models.lora import ADAPTER_FILES
from agent_rl.models.settings import ModelSettings
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.checkpoints import ADAPTERS

_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        checkpoint: From where.
        folder: To where.
    """

    checkpoint: Path
    folder: Path

    @property
    def megabytes(self) -> float:
        """Size of all files."""
        return sum(file.stat().st_size for file in self.folder.iterdir()) / 2**20


def export(source: Path, out: Path | None = None, step: int | None = None, adapter: bool = False) -> Exported:
    """Write a model, or its adapter, into a folder, whole or not at all.

    Args:
        source: The folder of a run, or a checkpoint.
        out: The folder to write; by default one below the run's `exports`.
        step: Of the run's checkpoint; by default the newest that is whole.
        adapter: Whether to write the adapter alone.

    Raises:
        UserError: There is no such checkpoint, it is damaged, it has no adapter, or `out` is not empty.
        StorageError: It cannot be written.
    """
    checkpoint = _checkpoint(source, step)
    if adapter and not (checkpoint / ADAPTERS).is_dir():
        raise UserError(f"{checkpoint} has no adapter: its run trained all weights")
    folder = out or _place(checkpoint, adapter)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty; choose another folder: out=FOLDER")
    work = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    try:
        with storing(folder):
            work.mkdir(parents=True)
            if adapter:
                _write_adapter(checkpoint, work)
            else:
                _write_model(checkpoint, work)
            for file in work.iterdir():
                with file.open("rb") as written:
                    os.fsync(written.fileno())
            work.replace(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Exported(checkpoint, folder)


def _checkpoint(source: Path, step: int | None) -> Path:
    """Return the checkpoint that is meant, once it is known to be whole."""
    if (source / "run.json").is_file():
        checkpoints = RunFolder.open(source).checkpoints
        if step is None:
            return _sound(newest_whole(checkpoints) or _none(source))
        found = checkpoints / f"step_{step:06d}"
        if not found.is_dir():
            kept = ", ".join(str(int(each.name[5:])) for each in sorted(checkpoints.glob("step_*")))
            raise UserError(f"{source} has no checkpoint of step {step} (kept: {kept or 'none'})")
    elif step is not None:
        raise UserError(f"step={step} chooses among the checkpoints of a run, and {source} is none")
    else:
        found = source
        if not (found / "config.json").is_file():
            raise UserError(f"{found} is neither a run nor a checkpoint: it has no run.json and no config.json")
    lacking = damage(found) if (found / MANIFEST).exists() or step is not None else None  # not of a run
    if lacking is not None:
        raise UserError(f"the checkpoint {found} is damaged: {lacking}")
    return _sound(found)


def _none(source: Path) -> Path:
    raise UserError(f"the run {source} has no checkpoint that is whole")


def _sound(checkpoint: Path) -> Path:
    """Return a checkpoint whose weights can be read to their end."""
    for file in _weights(checkpoint):
        try:
            with safe_open(file, framework="numpy"):
                pass
        except (OSError, SafetensorError) as error:
            raise UserError(f"the checkpoint {checkpoint} is damaged: {file.name}: {error}") from error
    return checkpoint


def _weights(checkpoint: Path) -> list[Path]:
    """Return the files of the weights, those that the index names if there are several."""
    index = checkpoint / _INDEX
    if not index.is_file():
        return [checkpoint / "model.safetensors"]
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"the checkpoint {checkpoint} is damaged: {_INDEX} cannot be read") from error
    return [checkpoint / name for name in sorted(set(named))]


def _place(checkpoint: Path, adapter: bool) -> Path:
    """Return where the export of a run's checkpoint lies by default."""
    run = checkpoint.absolute().parent.parent
    if not (run / "run.json").is_file():
        raise UserError(f"{checkpoint} is not in a run; say where to: out=FOLDER")
    return checkpoint.parent.parent / "exports" / f"{checkpoint.name}{'-adapter' if adapter else ''}"


def _write_model(checkpoint: Path, work: Path) -> None:
    settings = ModelSettings(path=str(checkpoint))
    text = load_config(settings)  # which says in one line what is wrong
    AutoConfig.from_pretrained(checkpoint).save_pretrained(work)
    shown = (checkpoint / "generation_config.json").is_file()
    generation = GenerationConfig.from_pretrained(checkpoint) if shown else GenerationConfig.from_model_config(text)
    generation.save_pretrained(work)
    load_tokenizer(settings).save_pretrained(work)
    for file in _weights(checkpoint):
        shutil.copyfile(file, work / file.name)
    if (checkpoint / _INDEX).is_file():
        shutil.copyfile(checkpoint / _INDEX, work / _INDEX)


def _write_adapter(checkpoint: Path, work: Path) -> None:
    for name in ADAPTER_FILES:
        shutil.copyfile(checkpoint / ADAPTERS / name, work / name)
    base = _base(checkpoint)
    if base is not None:
        settings = json.loads((work / ADAPTER_FILES[0]).read_text(encoding="utf-8"))
        write_json_atomic(work / ADAPTER_FILES[0], settings | {"base_model_name_or_path": base})


def _base(checkpoint: Path) -> str | None:
    """Return the model that the adapter of a run belongs to, None where no run says so."""
    file = RunFolder(checkpoint.absolute().parent.parent).config_yaml
    if not file.is_file():
        return None
    base = str(yaml.safe_load(file.read_text(encoding="utf-8"))["model"]["path"])
    found = resolve(base)
    return str(Path(found).absolute()) if Path(found).exists() else found
