"""What several tests inside ComfyUI need."""

import io

import pytest
import world
from PIL import Image
from serving import FRAMES, MOTION, training


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


@pytest.fixture(scope="session")
def untaught_figures(tmp_path_factory):
    """A checkpoint of the second edition that has learnt nothing."""
    import figure_weights

    return figure_weights.write(tmp_path_factory.mktemp("figures"))


@pytest.fixture
def figures_checkpoint(untaught_figures, monkeypatch):
    """The same where Load Checkpoint finds it, before any other of its name; so are adapters and LoRAs beside it."""
    import few_shot_motion.nodes  # noqa: F401 - makes our folders known
    import folder_paths

    for kind in ("checkpoints", "motion_adapters", "loras"):
        there, endings = folder_paths.folder_names_and_paths[kind]
        places = [str(untaught_figures.parent), *there]
        monkeypatch.setitem(folder_paths.folder_names_and_paths, kind, (places, endings))
    folder_paths.filename_list_cache.clear()
    yield untaught_figures
    folder_paths.filename_list_cache.clear()


@pytest.fixture
def figures_prior(figures_checkpoint):
    """A prior beside it that has learnt nothing."""
    import asyncio

    import figure_weights
    import folder_paths
    import nodes

    from dev.base import MINIATURE

    asyncio.run(nodes.load_custom_node(str(MINIATURE)))  # Load Checkpoint knows the miniature from here on
    figure_weights.write_prior(figures_checkpoint.parent)
    folder_paths.filename_list_cache.clear()


@pytest.fixture(scope="session")
def client(server):
    """The server's client, with clips and a first frame in its input folder."""
    import clips

    clips.write_training_set(server.base / "input" / "clips", MOTION, count=3, frames=FRAMES)
    clips.write_training_set(server.base / "input" / "two clips", MOTION, count=2, frames=FRAMES)
    picture = io.BytesIO()
    Image.fromarray(world.draw(world.Scene("red", "ball", "grass"), world.State(4.0, 8.0))).save(picture, "png")
    server.client.upload("ball.png", picture.getvalue())
    return server.client


@pytest.fixture(scope="session")
def adapters(server):
    return server.base / "output" / "motion_adapters"


@pytest.fixture(scope="session")
def adapter(client):
    """A motion adapter trained on the server for three steps."""
    client.run(training(name="shared", steps=3))
    return max(name for name in client.choices("FSM_LoadMotionAdapter", "adapter") if name.startswith("shared"))
