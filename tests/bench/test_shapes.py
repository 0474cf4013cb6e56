"""The reader of benchdnn's formats, and the networks written in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.shapes import NETWORKS, Conv, Gemm, ShapeError, gemms, network, read_shapes
from bench.shapes.benchdnn import parse_shape


def test_a_full_line():
    shape = parse_shape('g2mb4ic8ih9iw10oc6oh4ow5kh3kw2sh2sw2ph1pw0dh1dw0n"some:layer*3"')
    assert shape == Conv(2, 4, 8, 9, 10, 6, 4, 5, 3, 2, 2, 2, 1, 0, 1, 0, "some:layer", 3)


def test_defaults_and_deductions_are_benchdnns():
    shape = parse_shape("ic64_ih56_oc32_kh3_ph1")
    assert (shape.g, shape.mb, shape.iw, shape.kw, shape.pw) == (1, 2, 56, 3, 1)
    assert (shape.sh, shape.sw, shape.dh, shape.dw) == (1, 1, 0, 0)
    assert (shape.oh, shape.ow, shape.name, shape.count) == (56, 56, "", 1)
    assert parse_shape("ic1ih56oc1oh56kh3").ph == 1
    assert parse_shape("ic1ih224oc1oh112kh7sh2").padding == (2, 3, 2, 3)
    assert parse_shape("ic1ih10oc1kh3").oh == 8


def test_matmul_lines():
    assert parse_shape('128x784:784x512n"fc*2"') == Gemm(128, 512, 784, "fc", 2)


@pytest.mark.parametrize(("line", "token"), [
    ("ic64ih56oc64", "kh"), ("ic64ih56oc64kh3xx5", "xx5"), ("ic64ic64", "ic"),
    ("4x5:6x7", "columns"), ("g3ic64ih5oc64kh1", "g3"), ("ic1ih2oc1kh5", "positive"),
    ("ic0ih2oc1kh1", "positive"), ("hello", "hello"),
])
def test_bad_lines_name_file_line_and_token(line, token, tmp_path):
    path = tmp_path / "shapes.txt"
    path.write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(ShapeError) as caught:
        read_shapes(path)
    assert f"{path}, line 3: " in str(caught.value)
    assert token in str(caught.value)


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "none").write_text("# nothing\n")
    with pytest.raises(ShapeError, match="no shape"):
        read_shapes(tmp_path / "none")


@given(st.tuples(*[st.integers(1, 12)] * 3), st.integers(1, 5), st.integers(1, 3),
       st.integers(0, 3), st.integers(0, 2))
def test_padding_makes_the_output_come_out(extents, k, s, p, d):
    ic, ih, oc = extents
    if ih + 2 * p < (k - 1) * (d + 1) + 1:
        return
    shape = parse_shape(f"ic{ic}ih{ih}oc{oc}kh{k}sh{s}ph{p}dh{d}")
    top, bottom, *_ = shape.padding
    assert (ih + top + bottom - (k - 1) * (d + 1) - 1) // s + 1 == shape.oh


@pytest.mark.parametrize(("name", "layers", "gmacs"), [("ResNet-50 v1.5", 53, 4.09),
                                                       ("GoogLeNet v1", 57, 1.58),
                                                       ("Inception v4", 149, 12.25)])
def test_networks_have_the_published_layers_and_work(name, layers, gmacs):
    found = network(name)
    assert sum(layer.count for layer in found) == layers
    assert sum(layer.count * layer.macs for layer in found) / 1e9 == pytest.approx(gmacs, abs=0.005)
    assert all(layer.mb == 1 for layer in found)
    assert len(set(found)) == len(found)


def test_every_network_is_listed():
    assert set(NETWORKS) == {"ResNet-50 v1.5", "GoogLeNet v1", "Inception v4"}
    assert len(gemms()) == 11
