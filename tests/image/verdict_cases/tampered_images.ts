import {
  type Bytes,
  concatBytes,
  filledBytes,
  u32le,
  withBytes,
  withFlip,
} from "../../builders/esp_bytes.ts";
import { buildEspApp, type EspAppOptions } from "../../builders/esp_image.ts";
import { type EspLayout, espLayout } from "../../builders/esp_layout.ts";
import type { VerdictCase, WantedVerdict } from "./verdict_case.ts";

const corrupt = { kind: "application", integrity: "corrupt" } as const;
const truncated = { kind: "application", integrity: "truncated" } as const;
const unverified = { kind: "application", integrity: "unverified" } as const;
const PLAIN: EspAppOptions = { hashAppended: false };

/** Applications cut short or altered, and what must be said of each. */
export const tamperedImages: VerdictCase[] = [
  cut("after the header", () => 24, { ...truncated, where: "segment 0 header" }),
  cut("in the first segment header", () => 28, { ...truncated, where: "segment 0 header" }),
  cut("in the descriptor", () => 0x80, { ...truncated, where: "segment 0 data" }),
  cut("after the descriptor", () => 0x120, { ...truncated, where: "segment 0 data" }),
  cut("between two segments", ({ segments }) => segments[0]?.end ?? 0, {
    ...truncated,
    where: "segment 1 header",
  }),
  cut("in the second segment header", ({ segments }) => (segments[1]?.header ?? 0) + 5, {
    ...truncated,
    where: "segment 1 header",
  }),
  cut("in the second segment", ({ segments }) => (segments[1]?.data ?? 0) + 9, {
    ...truncated,
    where: "segment 1 data",
  }),
  cut("in the middle of the last segment", ({ segments }) => (segments[3]?.data ?? 0) + 700, {
    ...truncated,
    where: "segment 3 data",
  }, true),
  cut("one byte before the last segment's end", ({ segmentsEnd }) => segmentsEnd - 1, {
    ...truncated,
    where: "segment 3 data",
  }, true),
  cut("before the checksum", ({ checksum }) => checksum, { ...truncated, where: "checksum" }, true),
  cut("after the checksum", ({ digest }) => digest, { ...truncated, where: "sha256" }, true),
  cut("in the middle of the SHA-256", ({ digest }) => digest + 16, { ...truncated, where: "sha256" }, true),
  cut("one byte short", ({ end }) => end - 1, { ...truncated, where: "sha256" }, true),
  tampered("one byte short, no hash", PLAIN, (image) => image.slice(0, -1), {
    ...truncated,
    where: "checksum",
    missing: 1,
  }),
  tampered("half of it, no hash", PLAIN, (image) => image.slice(0, 1500), truncated),

  tampered("flipped bit in constants", {}, (image) => withFlip(image, 0x180), {
    ...corrupt,
    where: "checksum",
  }),
  tampered("flipped bit in code", {}, (image, { segmentsEnd }) => withFlip(image, segmentsEnd - 5), {
    ...corrupt,
    where: "checksum",
  }),
  tampered("flipped bit in the version", {}, (image) => withFlip(image, 0x30), {
    ...corrupt,
    where: "checksum",
  }),
  tampered("flipped checksum", {}, (image, { checksum }) => withFlip(image, checksum, 0x80), corrupt),
  tampered("flipped SHA-256", {}, (image, { digest }) => withFlip(image, digest + 31), {
    ...corrupt,
    where: "sha256",
  }),
  tampered("cancelling flips", {}, cancelling, { ...corrupt, where: "sha256" }),
  tampered("flipped entry address", {}, (image) => withFlip(image, 4), { ...corrupt, where: "sha256" }),
  tampered("flipped flash size", {}, (image) => withFlip(image, 3, 0x10), { ...corrupt, where: "sha256" }),
  tampered("flipped chip id", {}, (image) => withFlip(image, 12, 4), { ...corrupt, where: "sha256" }),
  tampered("chip id of a chip that maps its flash elsewhere", {}, (image) => withBytes(image, 12, [0]), {
    ...corrupt,
    where: "sha256",
    chip: "esp32",
  }),
  tampered("flipped minimum revision", {}, (image) => withFlip(image, 15), { ...corrupt, where: "sha256" }),
  tampered(
    "flipped load address",
    {},
    (image, { segments }) => withFlip(image, segments[1]?.header ?? 0, 0x10),
    {
      ...corrupt,
      where: "sha256",
    },
  ),
  tampered("pad byte set after hashing", {}, (image, { checksum }) => withFlip(image, checksum - 1), {
    ...corrupt,
    where: "sha256",
  }),
  tampered("hash flag 2", {}, (image) => withBytes(image, 23, [2]), { ...corrupt, where: "sha256" }),
  tampered("hash flag cleared, SHA-256 left behind", {}, (image) => withBytes(image, 23, [0]), unverified),
  tampered("hash flag set where there is no hash", PLAIN, (image) => withBytes(image, 23, [1]), {
    ...truncated,
    where: "sha256",
    missing: 32,
  }),
  tampered("segment count plus one", {}, (image) => withBytes(image, 1, [5]), {
    ...corrupt,
    where: "sha256",
  }),
  tampered("segment count minus one", {}, (image) => withBytes(image, 1, [3]), corrupt),
  tampered("segment count 17", {}, (image) => withBytes(image, 1, [17]), { ...corrupt, where: "header" }),
  tampered("segment count 255", {}, (image) => withBytes(image, 1, [255]), { ...corrupt, where: "header" }),
  tampered("two segments swapped", {}, swapped, corrupt),
  tampered(
    "a row of code zeroed",
    {},
    (image, { segmentsEnd }) => withBytes(image, segmentsEnd - 64, filledBytes(16, 0)),
    corrupt,
  ),
  length("not a multiple of four", 1, (old) => old + 1, { ...corrupt, where: "segment 1 header" }),
  length("four more than true", 1, (old) => old + 4, { kind: "application" }),
  length("four less than true", 1, (old) => old - 4, { kind: "application" }),
  length("beyond the file", 3, () => 0x10000, { ...truncated, where: "segment 3 data" }),
  length(
    "16 MiB on a chip that forbids it",
    1,
    () => 0x1000000,
    { ...corrupt, where: "segment 1 header" },
    "esp32",
  ),
  length("16 MiB on a chip that allows it", 1, () => 0x1000000, { ...truncated, where: "segment 1 data" }),
  length("2^32 - 4", 1, () => 0xfffffffc, { ...corrupt, where: "segment 1 header" }, "esp32"),
  length("2^32 - 4 on a chip with wide segments", 1, () => 0xfffffffc, {
    ...truncated,
    where: "segment 1 data",
  }),

  tampered(
    "no hash, flipped bit in code",
    PLAIN,
    (image, { segmentsEnd }) => withFlip(image, segmentsEnd - 5),
    {
      ...corrupt,
      where: "checksum",
    },
  ),
  tampered("no hash, flipped checksum", PLAIN, (image, { checksum }) => withFlip(image, checksum), {
    ...corrupt,
    where: "checksum",
  }),
  tampered("no hash, cancelling flips", PLAIN, cancelling, unverified),
  tampered(
    "no hash, flipped load address",
    PLAIN,
    (image, { segments }) => withFlip(image, segments[1]?.header ?? 0, 0x10),
    unverified,
  ),
];

function tampered(
  name: string,
  options: EspAppOptions,
  ...[spoil, want]: [(image: Bytes, layout: EspLayout) => Bytes, WantedVerdict]
): VerdictCase {
  const file = () => {
    const image = padded(options);
    return spoil(image, espLayout(image));
  };
  return { name, file, want };
}

function cut(
  name: string,
  at: (layout: EspLayout) => number,
  ...[want, countsMissing]: [WantedVerdict, boolean?]
): VerdictCase {
  const image = padded({});
  const keep = at(espLayout(image));
  const missing = countsMissing ? { missing: image.length - keep } : {};
  return { name: `cut ${name}`, file: () => image.slice(0, keep), want: { ...want, ...missing } };
}

/** An altered length in the header of one segment. */
function length(
  name: string,
  index: number,
  ...[change, want, chip]: [(old: number) => number, WantedVerdict, "esp32"?]
): VerdictCase {
  return tampered(
    `segment ${index} length ${name}`,
    chip === undefined ? {} : { chip },
    (image, { segments }) => {
      const place = segments[index] ?? { header: 0, data: 0, end: 0 };
      return withBytes(image, place.header + 4, u32le(change(place.end - place.data)));
    },
    want,
  );
}

/** An application with at least eight bytes before the checksum, where one more segment header fits. */
function padded(options: EspAppOptions): Bytes {
  for (const extra of [0, 4, 8, 12]) {
    const image = buildEspApp({ ...options, extraSegments: [], size: 3072 + extra });
    const { segmentsEnd, checksum } = espLayout(image);
    if (checksum - segmentsEnd >= 8) return image;
  }
  throw new Error("Cannot build an application with eight pad bytes: no size in a row of 16 has them");
}

/** The same bit flipped in two bytes of code, which a checksum by XOR cannot see. */
function cancelling(image: Bytes, { segmentsEnd }: EspLayout): Bytes {
  return withFlip(withFlip(image, segmentsEnd - 100, 8), segmentsEnd - 200, 8);
}

function swapped(image: Bytes, { segments }: EspLayout): Bytes {
  const [, first, second, third] = segments.map(({ header, end }) => image.slice(header, end));
  const [start, end] = [segments[1]?.header ?? 0, segments[3]?.end ?? 0];
  const middle = concatBytes(second ?? image, first ?? image, third ?? image);
  return concatBytes(image.slice(0, start), middle, image.slice(end));
}
