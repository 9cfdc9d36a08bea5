import * as fc from "fast-check";
import { type Bytes, concatBytes, filledBytes, withBytes, withFlip } from "../builders/esp_bytes.ts";
import { espLayout } from "../builders/esp_layout.ts";

/** One way to spoil an image; numbers wrap around the length of whatever they are applied to. */
export type Mutation =
  | { readonly kind: "flip"; readonly flips: readonly { readonly at: number; readonly bit: number }[] }
  | { readonly kind: "cancel"; readonly from: number; readonly to: number; readonly bit: number }
  | { readonly kind: "byte"; readonly field: number; readonly value: number }
  | { readonly kind: "word"; readonly field: number; readonly value: number }
  | { readonly kind: "cut"; readonly keep: number }
  | { readonly kind: "cut near"; readonly edge: number; readonly delta: number }
  | { readonly kind: "fill"; readonly at: number; readonly length: number; readonly value: number }
  | { readonly kind: "copy"; readonly from: number; readonly to: number; readonly length: number }
  | { readonly kind: "append"; readonly length: number; readonly value: number };

/** Values at which length and address arithmetic breaks. */
const EXTREMES = [
  0,
  1,
  3,
  4,
  255,
  256,
  0xffff,
  0x10000,
  0xffffff,
  0x1000000,
  0x7fffffff,
  0x80000000,
  0xfffffffc,
];

/** Every kind of mutation, each as likely as the others. */
export const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: fc.constant("flip" as const),
    flips: fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7) }), { minLength: 1, maxLength: 8 }),
  }),
  fc.record({ kind: fc.constant("cancel" as const), from: fc.nat(), to: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("byte" as const), field: fc.nat(), value: fc.nat(255) }),
  fc.record({
    kind: fc.constant("word" as const),
    field: fc.nat(),
    value: fc.constantFrom(...EXTREMES, 0xffffffff),
  }),
  fc.record({ kind: fc.constant("cut" as const), keep: fc.nat() }),
  fc.record({
    kind: fc.constant("cut near" as const),
    edge: fc.nat(),
    delta: fc.integer({ min: -40, max: 40 }),
  }),
  fc.record({
    kind: fc.constant("fill" as const),
    at: fc.nat(),
    length: fc.integer({ min: 1, max: 64 }),
    value: fc.constantFrom(0, 0xff, 0xe9),
  }),
  fc.record({
    kind: fc.constant("copy" as const),
    from: fc.nat(),
    to: fc.nat(),
    length: fc.integer({ min: 1, max: 512 }),
  }),
  fc.record({
    kind: fc.constant("append" as const),
    length: fc.integer({ min: 1, max: 5000 }),
    value: fc.constantFrom(0, 0xff, 0xe7),
  }),
);

/** The image spoiled as `mutation` says; now and then that changes nothing. */
export function mutate(image: Bytes, mutation: Mutation): Bytes {
  const wrap = (number: number) => number % image.length;
  switch (mutation.kind) {
    case "flip":
      return mutation.flips.reduce((bytes, { at, bit }) => withFlip(bytes, wrap(at), 1 << bit), image);
    case "cancel": {
      // Two equal flips in data bytes leave the XOR checksum as it was.
      const [from, to] = [dataOffset(image, mutation.from), dataOffset(image, mutation.to)];
      return withFlip(withFlip(image, from, 1 << mutation.bit), to, 1 << mutation.bit);
    }
    case "byte":
      return withBytes(image, mutation.field % 32, [mutation.value]);
    case "word":
      return writeWord(image, edges(image)[mutation.field % edges(image).length] ?? 0, mutation.value);
    case "cut":
      return image.slice(0, wrap(mutation.keep));
    case "cut near": {
      const edge = edges(image)[mutation.edge % edges(image).length] ?? 0;
      return image.slice(0, Math.max(0, edge + mutation.delta));
    }
    case "fill": {
      const at = wrap(mutation.at);
      return withBytes(image, at, filledBytes(Math.min(mutation.length, image.length - at), mutation.value));
    }
    case "copy": {
      const piece = image.slice(wrap(mutation.from), wrap(mutation.from) + mutation.length);
      const to = wrap(mutation.to);
      return withBytes(image, to, piece.subarray(0, image.length - to));
    }
    case "append":
      return concatBytes(image, filledBytes(mutation.length, mutation.value));
  }
}

/** Offsets of the words that steer a parser: header words, load addresses, lengths, checksum, digest, end. */
function edges(image: Bytes): number[] {
  const { segments, checksum, digest, end } = espLayout(image);
  const heads = segments.flatMap(({ header }) => [header, header + 4]);
  return [0, 4, 8, 12, 16, 20, ...heads, 0x20, 0xd0, checksum, digest, end];
}

/** The offset of the `index`-th byte of all segments' data, counted round and round. */
function dataOffset(image: Bytes, index: number): number {
  const { segments } = espLayout(image);
  let left = index % segments.reduce((sum, { data, end }) => sum + end - data, 0);
  for (const { data, end } of segments) {
    if (left < end - data) return data + left;
    left -= end - data;
  }
  return 0;
}

function writeWord(image: Bytes, at: number, value: number): Bytes {
  const word = Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
  return withBytes(image, at, word.subarray(0, Math.max(0, image.length - at)));
}
