"""A training beside models that ComfyUI has loaded."""

import gc
import weakref

import comfy.model_management
import unets
from classroom import run


def test_a_model_that_nobody_holds_any_more_is_gone_before_memory_is_counted(tmp_path, monkeypatch):
    """Core counts the models it has loaded, and dies of one that goes meanwhile."""
    monkeypatch.setattr("folder_paths.output_directory", str(tmp_path))
    model = unets.sd_model(unets.TINY)
    comfy.model_management.load_models_gpu([model])
    model.itself, gone, seen = model, weakref.ref(model), []  # nothing but a collection ends it
    free_memory = comfy.model_management.free_memory

    def counted(*arguments, **how):
        seen.append(gone())
        return free_memory(*arguments, **how)

    monkeypatch.setattr(comfy.model_management, "free_memory", counted)
    gc.collect()
    gc.disable()
    try:
        del model
        assert gone() is not None
        run(steps=1)
    finally:
        gc.enable()
    assert seen[0] is None
