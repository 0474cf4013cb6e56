"""Functions of a vector: exp and what is made of it, as internal LLVM functions.

Errors below are measured against float64 over all magnitudes, for finite results. NaN stays NaN.
`exp` is Cephes's expf (Moshier): x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r of degree
6, times 2^n in two steps, so that results overflow to infinity and underflow through denormals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import e, log2, pi, sqrt

from llvmlite import ir

from .isa import Isa
from .vectors import F32, I32

Value = ir.Value

_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
        5.0000001201e-1)
_TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
         -3.33332819422e-1)
#: erf(x) = 1 - t P(t) exp(-x^2) with t = 1 / (1 + p x), x >= 0: Abramowitz and Stegun, 7.1.26.
_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
_ERF_P = 0.3275911


class _Math:
    """Vector arithmetic in a function being written."""

    def __init__(self, builder: ir.IRBuilder, isa: Isa) -> None:
        self.builder, self.isa = builder, isa
        self.vector = ir.VectorType(F32, isa.lanes)
        self.integers = ir.VectorType(I32, isa.lanes)

    def const(self, value: float) -> Value:
        return ir.Constant(self.vector, [value] * self.isa.lanes)

    def ints(self, value: int) -> Value:
        return ir.Constant(self.integers, [value] * self.isa.lanes)

    def add(self, x: Value, y: Value) -> Value:
        return self.builder.fadd(x, y)

    def mul(self, x: Value, y: Value) -> Value:
        return self.builder.fmul(x, y)

    def div(self, x: Value, y: Value) -> Value:
        return self.builder.fdiv(x, y)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        if not self.isa.fma:
            return self.add(self.mul(x, y), z)
        name = f"llvm.fma.v{self.isa.lanes}f32"
        module = self.builder.module
        function = module.globals.get(name) or ir.Function(
            module, ir.FunctionType(self.vector, [self.vector] * 3), name)
        return self.builder.call(function, [x, y, z])

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's scheme, the highest power first."""
        value = self.const(coefficients[0])
        for coefficient in coefficients[1:]:
            value = self.fma(value, x, self.const(coefficient))
        return value

    def less(self, x: Value, y: Value) -> Value:
        return self.builder.fcmp_ordered("<", x, y)

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        return self.builder.select(condition, x, y)

    def absolute(self, x: Value) -> Value:
        return self._bits(self.builder.and_(self._ints_of(x), self.ints(0x7FFFFFFF)))

    def with_sign_of(self, x: Value, sign: Value) -> Value:
        """x with the sign of `sign`, for an x that has that or none."""
        bit = self.builder.and_(self._ints_of(sign), self.ints(-(2**31)))
        return self._bits(self.builder.or_(self._ints_of(x), bit))

    def _ints_of(self, x: Value) -> Value:
        return self.builder.bitcast(x, self.integers)

    def _bits(self, x: Value) -> Value:
        return self.builder.bitcast(x, self.vector)

    def _clamped(self, x: Value, low: float, high: float) -> Value:
        x = self.select(self.less(x, self.const(low)), self.const(low), x)
        return self.select(self.less(self.const(high), x), self.const(high), x)

    def _power_of_two(self, n: Value) -> Value:
        """2^n for integers n within the exponents of normal numbers."""
        return self._bits(self.builder.shl(self.builder.add(n, self.ints(127)), self.ints(23)))

    def exp(self, x: Value) -> Value:
        """Relative error 1.2e-7."""
        return self.mul(*self._exp_factors(x))

    def _exp_factors(self, x: Value) -> tuple[Value, Value]:
        """exp(x) as a product of a normal number and a power of two."""
        x = self._clamped(x, -110.0, 90.0)  # 0 and infinity from there on
        magic = self.const(1.5 * 2**23)  # adding it leaves the nearest integer in the low bits
        shifted = self.fma(x, self.const(log2(e)), magic)
        n = self.builder.sub(self._ints_of(shifted), self._ints_of(magic))
        whole = self.builder.fsub(shifted, magic)
        r = self.fma(whole, self.const(-0.693359375), x)
        r = self.fma(whole, self.const(2.12194440e-4), r)
        y = self.fma(self.mul(r, r), self.polynomial(r, _EXP), self.add(r, self.const(1.0)))
        half = self.builder.ashr(n, self.ints(1))
        y = self.mul(y, self._power_of_two(half))
        return y, self._power_of_two(self.builder.sub(n, half))

    def sigmoid(self, x: Value) -> Value:
        """1 / (1 + exp(-x)); relative error 2.5e-7; 0 below -88.7."""
        one = self.const(1.0)
        return self.div(one, self.add(one, self.exp(self.mul(x, self.const(-1.0)))))

    def silu(self, x: Value) -> Value:
        """x sigmoid(x); relative error 3e-7. NaN at minus infinity, as the product is.

        Of negative x it is x exp(x) / (1 + exp(x)), a normal number where exp(x) no longer is one.
        """
        y, power = self._exp_factors(self.with_sign_of(x, self.const(-0.0)))
        product, zero = self.mul(self.mul(x, y), power), self.mul(x, self.const(0.0))
        product = self.select(self.less(x, self.const(-110.0)), zero, product)
        product = self.select(self.less(x, self.const(0.0)), product, x)
        return self.div(product, self.fma(y, power, self.const(1.0)))

    def tanh(self, x: Value) -> Value:
        """Relative error 3e-7; after Cephes's tanhf."""
        size, square = self.absolute(x), self.mul(x, x)
        near = self.fma(self.mul(self.polynomial(square, _TANH), square), x, x)
        grown = self.add(self.exp(self.add(size, size)), self.const(1.0))
        far = self.builder.fsub(self.const(1.0), self.div(self.const(2.0), grown))
        # The polynomial's sum gives +0 for -0.
        return self.with_sign_of(self.select(self.less(size, self.const(0.625)), near, far), x)

    def gelu(self, x: Value) -> Value:
        """x/2 (1 + erf(x / sqrt 2)); absolute error 4e-7 of max(1, |x|)."""
        z = self.mul(x, self.const(sqrt(0.5)))
        size, one = self.absolute(z), self.const(1.0)
        t = self.div(one, self.fma(self.const(_ERF_P), size, one))
        tail = self.mul(self.mul(self.polynomial(t, _ERF), t),
                        self.exp(self.mul(self.mul(size, size), self.const(-1.0))))
        half = self.mul(x, self.const(0.5))
        # 1 + erf is the tail itself for negative x, and 2 minus it for others.
        factor = self.select(self.less(x, self.const(0.0)), tail,
                             self.builder.fsub(self.const(2.0), tail))
        return self.mul(half, factor)

    def gelu_tanh(self, x: Value) -> Value:
        """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); absolute error 4e-7 of max(1, |x|)."""
        cube = self.mul(self.mul(x, x), x)
        inner = self.mul(self.fma(self.const(0.044715), cube, x), self.const(2 * sqrt(2 / pi)))
        return self.mul(x, self.sigmoid(inner))


#: Every function of one vector, by name.
FUNCTIONS: dict[str, Callable[[_Math, Value], Value]] = {
    "exp": _Math.exp, "sigmoid": _Math.sigmoid, "silu": _Math.silu, "tanh": _Math.tanh,
    "gelu": _Math.gelu, "gelu_tanh": _Math.gelu_tanh,
}


def unary(module: ir.Module, isa: Isa, name: str) -> ir.Function:
    """The internal function `vector(vector)` of that name, written if it is new."""
    full = f"tpi_{name}_f32_{isa.name}"
    found = module.globals.get(full)
    if found is not None:
        return found
    vector = ir.VectorType(F32, isa.lanes)
    function = ir.Function(module, ir.FunctionType(vector, [vector]), full)
    function.linkage = "internal"
    function.attributes.add("noinline")  # every cell of every tile calls it
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    builder.ret(FUNCTIONS[name](_Math(builder, isa), function.args[0]))
    return function
