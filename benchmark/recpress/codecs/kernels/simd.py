"""Vector code for one block of `LANES` rows, written as LLVM IR through numba: nothing is compiled at install.

A vector holds one number of each of the block's rows, so no sum runs across a vector. All of it is plain IR that LLVM
lowers for any processor, except `reaching`, which needs AVX-512 VNNI (Intel since 2019, AMD since Zen 4).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

LANES = 16
QUERIES = 4
"""Queries that `dot4` multiplies with a block at once."""

_INT, _LONG, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_INTS, _FLOATS = ir.VectorType(_INT, LANES), ir.VectorType(_FLOAT, LANES)
_HALVES, _SHORTS = ir.VectorType(ir.HalfType(), LANES), ir.VectorType(ir.IntType(16), LANES)
_WIDTHS = (8, 4, 2, 1)
# Multiply and add may be one instruction, rounded once.
_FUSE = ("contract",)


@cache
def has_vnni() -> bool:
    """Say whether numba compiles for a processor with AVX-512 VNNI."""
    return "+avx512vnni" in str(cpu_target.target_context.codegen().magic_tuple()[2])


def _primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    return cast(Callable[..., Any], intrinsic(function))


def _splat(builder: Any, value: Any) -> Any:
    vector = ir.VectorType(value.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), ir.Constant(_INTS, [0] * LANES))


def _ints(value: int) -> Any:
    return ir.Constant(_INTS, [value] * LANES)


def _at(builder: Any, pointer: Any, index: Any, kind: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [index]), kind.as_pointer())


def _load(builder: Any, pointer: Any, index: Any, kind: Any) -> Any:
    return builder.load(_at(builder, pointer, index, kind), align=2)


def _mask(builder: Any, lanes: Any) -> Any:
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), _LONG)


def _store(builder: Any, value: Any, pointer: Any, index: Any) -> None:
    builder.store(value, _at(builder, pointer, index, value.type), align=4)


def _fields(builder: Any, width: Any, words: Any, use: Callable[[Any, Any, Any], None], load: Any) -> None:
    """Call `use(step, place, values)` for each step of a plane: four codes a lane, one in each byte.

    The width of a code is known when running, and the loop is written once for each.
    """
    for each in _WIDTHS:
        per_word, mask = 8 // each, (2**each - 1) * 0x01010101
        with builder.if_then(builder.icmp_signed("==", width, _LONG(each))), cgutils.for_range(builder, words) as loop:
            word = load(loop.index)
            for place in range(per_word):
                values = builder.lshr(word, _ints(place * each)) if place else word
                if each < 8:
                    values = builder.and_(values, _ints(mask))
                use(builder.add(builder.mul(loop.index, _LONG(per_word)), _LONG(place)), place, values)


@_primitive
def pointer(context: Any, array: Any, index: Any) -> Any:
    """Return the address of an element of a contiguous array, counted from its first."""
    signature = types.CPointer(array.dtype)(array, types.int64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return signature, code


_WORDS, _NUMBERS, _BITS16 = types.CPointer(types.uint32), types.CPointer(types.float32), types.CPointer(types.uint16)
_SIZE = types.int64


@_primitive
def spread(context: Any, codes: Any, words: Any, width: Any, weight: Any, out: Any) -> Any:
    """Add the codes of one plane of a block, times ``2 ** weight``, to bytes of `out` (a word per step and lane)."""
    signature = types.void(_WORDS, _SIZE, _SIZE, types.uint32, _WORDS)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        codes, words, width, weight, out = arguments
        shift = _splat(builder, weight)

        def use(step: Any, place: int, values: Any) -> None:
            at = builder.mul(step, _LONG(LANES))
            before = _load(builder, out, at, _INTS)
            _store(builder, builder.or_(before, builder.shl(values, shift)), out, at)

        _fields(builder, width, words, use, lambda word: _load(builder, codes, builder.mul(word, _LONG(LANES)), _INTS))
        return context.get_dummy_value()

    return signature, code


@_primitive
def values_of(context: Any, codes: Any, steps: Any, zero: Any, scale: Any, offset: Any, out: Any) -> Any:
    """Write ``scale * (code - zero) + offset`` of spread codes, rounded as `Uniform.decode` does, a lane per row."""
    signature = types.void(_WORDS, _SIZE, types.float32, _BITS16, _BITS16, _NUMBERS)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        codes, steps, zero, scale, offset, out = arguments
        scales, offsets = (builder.fpext(_load(builder, each, _LONG(0), _HALVES), _FLOATS) for each in (scale, offset))
        zeros = _splat(builder, zero)
        with cgutils.for_range(builder, steps) as loop:
            word = _load(builder, codes, builder.mul(loop.index, _LONG(LANES)), _INTS)
            for byte in range(4):
                value = builder.and_(builder.lshr(word, _ints(8 * byte)), _ints(255))
                number = builder.fmul(builder.fsub(builder.sitofp(value, _FLOATS), zeros), scales)
                at = builder.mul(builder.add(builder.mul(loop.index, _LONG(4)), _LONG(byte)), _LONG(LANES))
                _store(builder, builder.fadd(number, offsets), out, at)
        return context.get_dummy_value()

    return signature, code


@_primitive
def reaching(
    context: Any,
    codes: Any,
    planes: Any,
    count: Any,
    query: Any,
    scale: Any,
    offset: Any,
    step: Any,
    constant: Any,
    total: Any,
    floor: Any,
) -> Any:
    """Return, a bit for each lane, which rows' bounds reach `floor`; a bound that is NaN does.

    The bound is ``scale * (step * (code · query) + constant) + offset * total`` with an integer product: of codes in
    `count` planes, as `CodeLanes` describes them, and of a query in signed bytes.
    """
    signature = types.int64(
        _WORDS, types.CPointer(_SIZE), _SIZE, types.CPointer(types.int32), _BITS16, _BITS16, *[types.float32] * 4
    )

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        codes, planes, count, query, scale, offset, *numbers = arguments
        product = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_INTS, [_INTS] * 3), "llvm.x86.avx512.vpdpbusd.512"
        )
        inner = cgutils.alloca_once_value(builder, _ints(0))
        # Four sums, so that one multiply-add need not wait for the one before.
        sums = [cgutils.alloca_once(builder, _INTS) for _ in range(4)]

        def use(step: Any, place: int, values: Any) -> None:
            four = _splat(builder, builder.load(builder.gep(query, [step])))
            own = sums[place % 4]
            builder.store(builder.call(product, [builder.load(own), values, four]), own)

        with cgutils.for_range(builder, count) as loop:
            plane = builder.mul(loop.index, _LONG(4))
            width, low, first, words = (
                builder.load(builder.gep(planes, [builder.add(plane, _LONG(at))])) for at in range(4)
            )
            for each in sums:
                builder.store(_ints(0), each)

            def load(word: Any, first: Any = first) -> Any:
                return _load(builder, codes, builder.mul(builder.add(first, word), _LONG(LANES)), _INTS)

            _fields(builder, width, words, use, load)
            first_sum, *others = (builder.load(each) for each in sums)
            plane_sum = reduce(builder.add, others, first_sum)
            shift = _splat(builder, builder.trunc(low, _INT))
            builder.store(builder.add(builder.load(inner), builder.shl(plane_sum, shift)), inner)
        product_sum = builder.sitofp(builder.load(inner), _FLOATS)
        step, constant, total, floor = (_splat(builder, number) for number in numbers)
        scales, offsets = (builder.fpext(_load(builder, each, _LONG(0), _HALVES), _FLOATS) for each in (scale, offset))
        bound = builder.fadd(builder.fmul(product_sum, step, _FUSE), constant, _FUSE)
        bound = builder.fadd(builder.fmul(bound, scales, _FUSE), builder.fmul(offsets, total, _FUSE), _FUSE)
        return _mask(builder, builder.fcmp_unordered(">=", bound, floor))

    return signature, code


@_primitive
def lowest(context: Any, mask: Any) -> Any:
    """Return the lowest lane that is set in a mask, which isn't 0."""
    signature = types.int64(types.int64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return signature, code


def _flip(builder: Any, bits: Any) -> Any:
    """Flip all bits but the sign's of a negative number: floats are then ordered as integers are, and back."""
    return builder.xor(bits, builder.lshr(builder.ashr(bits, _INT(31)), _INT(1)))


@_primitive
def ordered(context: Any, score: Any) -> Any:
    """Return an integer that orders scores as they are ordered; that of -0.0 is that of 0.0."""
    signature = types.int64(types.float32)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        positive = builder.fadd(arguments[0], ir.Constant(_FLOAT, 0.0))
        return builder.sext(_flip(builder, builder.bitcast(positive, _INT)), _LONG)

    return signature, code


@_primitive
def score(context: Any, order: Any) -> Any:
    """Return the score of which `ordered` is `order`."""
    signature = types.float32(types.int64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(_flip(builder, builder.trunc(arguments[0], _INT)), _FLOAT)

    return signature, code


@_primitive
def reached(context: Any, scores: Any, floor: Any) -> Any:
    """Return, a bit for each lane, which scores reach `floor`; one that is NaN does."""
    signature = types.int64(_NUMBERS, types.float32)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scores, floor = arguments
        reached = builder.fcmp_unordered(">=", _load(builder, scores, _LONG(0), _FLOATS), _splat(builder, floor))
        return _mask(builder, reached)

    return signature, code


@_primitive
def at_least(context: Any, products: Any, floor: Any) -> Any:
    """Return, a bit for each lane, which of `LANES` whole numbers are at least `floor`."""
    signature = types.int64(types.CPointer(types.int32), types.int32)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        products, floor = arguments
        values = _load(builder, products, _LONG(0), _INTS)
        return _mask(builder, builder.icmp_signed(">=", values, _splat(builder, floor)))

    return signature, code


@_primitive
def fetch(context: Any, numbers: Any, count: Any) -> Any:
    """Ask for some numbers to be brought into the cache, without waiting for them."""
    signature = types.void(_NUMBERS, _SIZE)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, count = arguments
        byte = ir.IntType(8).as_pointer()
        hint = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
        prefetch = cgutils.get_or_insert_function(builder.module, hint, "llvm.prefetch.p0i8")
        with cgutils.for_range(builder, builder.lshr(builder.add(count, _LONG(15)), _LONG(4))) as loop:
            at = builder.gep(numbers, [builder.shl(loop.index, _LONG(4))])
            # To be read, once, data.
            builder.call(prefetch, [builder.bitcast(at, byte), _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return signature, code


def _full(builder: Any, values: Any, index: Any) -> Any:
    return _load(builder, values, index, _FLOATS)


def _fp16(builder: Any, values: Any, index: Any) -> Any:
    return builder.fpext(_load(builder, values, index, _HALVES), _FLOATS)


def _bf16(builder: Any, values: Any, index: Any) -> Any:
    # The 16 bits of a bfloat16 are the high ones of the same float32.
    wide = builder.zext(_load(builder, values, index, _SHORTS), _INTS)
    return builder.bitcast(builder.shl(wide, _ints(16)), _FLOATS)


def _dot(load: Callable[[Any, Any, Any], Any], values: Any, queries: int) -> Callable[..., Any]:
    """Make the primitive that multiplies a block, one vector per column, with a few queries.

    Columns are added in order, in four sums that take turns, so that a score doesn't depend on the other queries.
    """

    def dot(context: Any, block: Any, columns: Any, query: Any, stride: Any, out: Any) -> Any:
        signature = types.void(values, _SIZE, _NUMBERS, _SIZE, _NUMBERS)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            block, columns, query, stride, out = arguments
            zero = ir.Constant(_FLOATS, [0.0] * LANES)
            sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(4)] for _ in range(queries)]
            rows = [builder.gep(query, [builder.mul(stride, _LONG(row))]) for row in range(queries)]
            with cgutils.for_range(builder, builder.lshr(columns, _LONG(2))) as loop:
                for turn in range(4):
                    column = builder.add(builder.shl(loop.index, _LONG(2)), _LONG(turn))
                    vector = load(builder, block, builder.mul(column, _LONG(LANES)))
                    for row in range(queries):
                        number = _splat(builder, builder.load(builder.gep(rows[row], [column])))
                        own = sums[row][turn]
                        builder.store(builder.fadd(builder.load(own), builder.fmul(vector, number, _FUSE), _FUSE), own)
            for row in range(queries):
                first, second, third, fourth = (builder.load(each) for each in sums[row])
                total = builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth))
                _store(builder, total, out, _LONG(row * LANES))
            return context.get_dummy_value()

        return signature, code

    return _primitive(dot)


dot1 = _dot(_full, _NUMBERS, 1)
dot4 = _dot(_full, _NUMBERS, QUERIES)
dot1_fp16 = _dot(_fp16, _BITS16, 1)
dot1_bf16 = _dot(_bf16, _BITS16, 1)


def _widen(load: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    def widen(context: Any, block: Any, columns: Any, out: Any) -> Any:
        """Write a block of 16-bit numbers as float32."""
        signature = types.void(_BITS16, _SIZE, _NUMBERS)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            block, columns, out = arguments
            with cgutils.for_range(builder, columns) as loop:
                at = builder.mul(loop.index, _LONG(LANES))
                _store(builder, load(builder, block, at), out, at)
            return context.get_dummy_value()

        return signature, code

    return _primitive(widen)


widen_fp16 = _widen(_fp16)
widen_bf16 = _widen(_bf16)
