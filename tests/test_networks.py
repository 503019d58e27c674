"""The table of networks: the script that makes it, and the page that is kept."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from prunescope.sparsity.unit_search import find_units

ROOT = Path(__file__).parents[1]
COLUMNS = 8


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("networks", ROOT / "tools" / "networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "tools"))


def made(kind):
    """The network; skips the test where its package is not installed, or was built for another torch."""
    try:
        return kind.factory()
    except (ImportError, RuntimeError) as problem:
        pytest.skip(str(problem))


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_page_has_twenty_networks_and_no_empty_cell(tool):
    lines = (ROOT / "docs" / "networks.md").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| network |"))
    rows = [cells_of(line) for line in lines[start + 2 :] if line.startswith("|")]
    assert [row[0] for row in rows] == list(tool.ZOO) and len(rows) >= 20
    for row in rows:
        assert len(row) == COLUMNS and all(row) and not any(cell.startswith("traceback") for cell in row)


@pytest.mark.slow
def test_the_script_on_a_handful_of_networks(tool):
    names = ["LSTM", "U-Net", "graph convolutions", "tabular, embeddings", "Transformer encoder"]
    cells = tool.table(names)
    for name in names:
        assert len(cells[name]) == COLUMNS - 1
        for title, cell in cells[name].items():
            assert cell and not cell.startswith(("traceback", "refused")), f"{name}, {title}: {cell}"
    assert cells["graph convolutions"]["prunes weights"].startswith("49.")
    page = tool.page(cells)
    assert "Made on" in page and page.count("\n| U-Net |") == 1


def test_a_refusal_is_a_note_and_a_defect_is_called_traceback(tool):
    def refused(trial):
        raise tool.PrunescopeError("no | such thing")

    def broken(trial):
        raise ValueError("oh")

    assert tool.cell(refused, None) == "refused: no / such thing"
    assert tool.cell(broken, None) == "traceback: ValueError: oh"
    column = dict.fromkeys(tool.QUESTIONS, "refused: no / such thing")
    assert "| refused [1] |" in tool.page({"Net": column}) and "\n1. refused: no / such thing\n" in tool.page(
        {"Net": column}
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "BERT (transformers)",
            {"bert.encoder.layer.0.attention.self.value": 2, "bert.pooler.dense": 16},
        ),
        ("GPT-2 (transformers)", {"transformer.h.0.attn.c_attn": 2, "transformer.h.1.mlp.c_fc": 32}),
        (
            "Llama (transformers)",
            {"model.layers.0.self_attn.v_proj": 2, "model.layers.0.mlp.gate_proj": 32},
        ),
        ("ViT (timm)", {"blocks.0.attn.qkv": 2, "blocks.1.mlp.fc1": 32}),
        ("EfficientNet (timm)", {"conv_stem": 8, "blocks.1.0.conv_pw": 32}),
        ("ViT (torchvision)", {"encoder.layers.encoder_layer_0.self_attention.in_proj_weight": 2}),
    ],
)
def test_units_of_networks_that_others_wrote(tool, name, expected):
    kind = tool.ZOO[name]
    found = find_units(made(kind), torch.as_tensor(kind.x())[:2])
    assert {layer: found.at(layer).count for layer in expected} == expected


def test_albert_repeats_its_layers_which_are_refused_while_others_are_pruned(tool):
    kind = tool.ZOO["ALBERT (transformers)"]
    found = find_units(made(kind), kind.x()[:2])
    shared = [name for name, why in found.others.items() if why == "it is used more than once in a pass"]
    assert len(shared) == 6 and list(found.units) == ["albert.pooler"]
