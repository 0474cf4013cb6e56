"""The reader of benchdnn's formats, and the networks written in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.shapes import (
    NETWORKS,
    BatchedGemm,
    Conv,
    Gemm,
    Pool,
    ShapeError,
    gemms,
    network,
    read_shapes,
)
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


def test_width_is_height_only_where_no_width_is_given_at_all():
    square = parse_shape("ic8ih9oc8oh1kh5sh2ph0dh1")
    assert square == parse_shape("ic8ih9iw9oc8oh1ow1kh5kw5sh2sw2ph0pw0dh1dw1")
    wide = parse_shape("ic8ih9iw12oc8oh5ow12kh3kw1sh2ph1dh0")
    assert (wide.sw, wide.pw, wide.dw) == (1, 0, 0)
    padded = parse_shape("ic8ih9iw9oc8kh3kw3sh2ph1pw2")
    assert (padded.oh, padded.ow, padded.sw) == (5, 11, 1)
    dilated = parse_shape("ic8ih9iw9oc8kh3kw3ph2dh1")
    assert (dilated.oh, dilated.ow, dilated.dw, dilated.pw) == (9, 7, 0, 0)


@pytest.mark.parametrize("given", ["iw9", "kw3", "ow9", "sw2", "pw1", "dw1"])
def test_a_width_in_part_is_refused(given):
    with pytest.raises(ShapeError, match=r"'[ik]w' is missing or 0"):
        parse_shape(f"ic8ih9oc8kh3ph1{given}")


@pytest.mark.parametrize("given", ["sw1", "pw0", "dw0", "iw0"])
def test_a_default_counts_as_not_given(given):
    assert parse_shape(f"ic8ih9oc8kh3sh2ph1{given}") == parse_shape("ic8ih9oc8kh3sh2ph1")


def test_a_problem_of_one_dimension_has_height_1():
    shape = parse_shape('g1ic3oc16_iw5ow5kw3pw1_n"1d_conv:1st"')
    assert (shape.ih, shape.oh, shape.kh, shape.sh, shape.ph, shape.dh) == (1, 1, 1, 1, 0, 0)
    assert (shape.iw, shape.ow, shape.kw, shape.pw) == (5, 5, 3, 1)


@pytest.mark.parametrize("line", [
    'g1ic3oc16_id5od5kd3pd1_n"3d_conv:1st"', "ic8id4ih9iw9oc8od4oh9ow9kd3kh3kw3pd1ph1pw1",
    "mb1ic8_id3ih3_od3oh3_kd3kh3", "ic8ih9oc8kh3sd2",
])
def test_a_depth_is_refused(line):
    with pytest.raises(ShapeError, match="it has a depth"):
        parse_shape(line)


@pytest.mark.parametrize("line", ["ic8ih30oc8oh14kh3ph0", "ic8ih30oc8oh4kh3", "ic8_ih37oh5_kh3"])
def test_an_output_that_leaves_input_unused_is_refused(line):
    with pytest.raises(ShapeError, match="unused"):
        parse_shape(line)


def test_rows_that_a_stride_passes_over_are_no_unused_input():
    assert parse_shape("ic35_iw30ih20_ow14oh17_kw3kh4_sw2sh1").padding == (0, 0, 0, 0)


def test_a_field_may_be_repeated():
    repeated = parse_shape("mb1ic16oc16_ih10kh5_kh5ph7sh1")
    assert repeated == parse_shape("mb1ic16oc16_ih10kh5ph7sh1")


def test_pool_lines():
    assert parse_shape('ic64_ih112oh56_kh3sh2ph1 n"pool1*2"') == Pool(
        2, 64, 112, 112, 56, 56, 3, 3, 2, 2, 1, 1, 0, 0, "pool1", 2)
    wide = parse_shape("mb1ic32_ih32oh6kh6sh6ph2_iw3ow3kw1sw1pw0")
    assert (wide.ow, wide.kw, wide.sw, wide.pw) == (3, 1, 1, 0)


def test_matmul_lines():
    assert parse_shape('128x784:784x512n"fc*2"') == Gemm(128, 512, 784, "fc", 2)
    assert parse_shape('12x64x32:12x32x16_n"qk"') == BatchedGemm(12, 64, 16, 32, "qk")
    assert parse_shape("12x64x32:12x32x16").flops == 12 * 2 * 64 * 16 * 32


@pytest.mark.parametrize(("name", "read"), [('n""', ""), ('_n""', ""), ("n", ""), ("nconv", "conv"),
                                            ('_n"a n b#1"', "a n b#1")])
def test_names_may_be_empty_or_without_quotes(name, read, tmp_path):
    (tmp_path / "names").write_text(f"ic1ih4oc1kh1{name}  # first\n8x8:8x8{name}\n")
    assert [shape.name for shape in read_shapes(tmp_path / "names")] == [read, read]


@pytest.mark.parametrize(("line", "token"), [
    ("ic64ih56oc64", "kh"), ("ic64ih56oc64kh3xx5", "xx5"), ("ic64ic32", "ic"),
    ("4x5:6x7", "columns"), ("g3ic64ih5oc64kh1", "g3"), ("ic1ih2oc1kh5", "positive"),
    ("ic0ih2oc1kh1", "positive"), ("hello", "hello"), ("2x4x5:3x5x6", "batches of 2 and 3"),
    ("1x2x4x5:1x2x5x6", "expected MxK"), ("0x4:4x5", "positive"), ("ic8oc8kh3", "ih"),
    ("ic8oc8", "iw"), ("ic8ih4oc8kh1sh0", "stride"), ("ih4oc8kh1", "ic"),
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
