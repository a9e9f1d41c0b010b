"""What several tests inside ComfyUI need."""

import pytest


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty model folders and an output folder."""
    import folder_paths

    for name in ("clip_vision", "text_encoders", "i3d", "optical_flow"):
        (tmp_path / name).mkdir()
        monkeypatch.setitem(
            folder_paths.folder_names_and_paths, name, ([str(tmp_path / name)], {".safetensors", ".pt", ".pth"})
        )
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))
    folder_paths.filename_list_cache.clear()
    yield tmp_path
    folder_paths.filename_list_cache.clear()
