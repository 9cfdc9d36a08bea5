import { type Bytes, filledBytes, noiseBytes, withFlip } from "../../builders/esp_bytes.ts";
import { ESP_CHIPS } from "../../builders/esp_chips.ts";
import {
  appSegments,
  assembleEspImage,
  buildEspApp,
  type EspAppOptions,
  type EspSegment,
} from "../../builders/esp_image.ts";
import type { VerdictCase, WantedVerdict } from "./verdict_case.ts";

const assets = { address: 0x3fc98000, data: noiseBytes(0x10000, 77) };

/** Images whose bytes are true and whose content is out of the ordinary. */
export const oddImages: VerdictCase[] = [
  built("maximum of 16 segments", { extraSegments: paddings(12) }, {
    kind: "application",
    integrity: "intact",
  }),
  built("17 segments", { extraSegments: paddings(13) }, {
    kind: "application",
    integrity: "corrupt",
    where: "header",
  }),
  built("an empty segment", { extraSegments: [{ address: 0x3fc98000, data: new Uint8Array(0) }] }, {
    kind: "application",
    integrity: "intact",
  }),
  built(
    "a segment at a reserved address",
    { extraSegments: [{ address: 0x1000, data: new Uint8Array(16) }] },
    {
      kind: "application",
      integrity: "intact",
    },
  ),
  built("pad bytes set before hashing", { padByte: 0x5a }, {
    kind: "application",
    integrity: "intact",
    findings: ["warn pad-bytes"],
  }),
  built("no application descriptor", { descriptorMagic: 0 }, {
    kind: "application",
    integrity: "intact",
    findings: ["warn no-descriptor"],
  }),
  built("reserved bits set", { reserved: 0x01020304 }, {
    kind: "application",
    findings: ["warn reserved-bits"],
  }),
  built("write-protect pin 0, as hand-made files have", { wpPin: 0 }, {
    kind: "application",
    findings: ["info pin-setting"],
  }),
  built("entry address in flash", { entry: 0x42000020 }, {
    kind: "application",
    findings: ["warn entry-address"],
  }),
  built("entry address of a toy file", { entry: 0xdeadbeef }, {
    kind: "application",
    findings: ["warn entry-address"],
  }),
  built("unknown chip id", { chipId: 0x77 }, {
    kind: "application",
    integrity: "intact",
    findings: ["warn unknown-chip"],
  }),
  built("chip id whose low byte is that of another chip", { chipId: 0x109 }, {
    kind: "application",
    findings: ["warn unknown-chip"],
  }),
  built("chip id 0xFFFF", { chipId: 0xffff }, { kind: "application", integrity: "intact" }),
  ...[4, 7, 10, 14, 17].map((chipId) =>
    built(`pre-production chip id ${chipId}`, { chipId }, {
      kind: "application",
      integrity: "intact",
      findings: ["warn pre-production-chip"],
    })
  ),
  built("overlapping RAM segments", {
    extraSegments: [{ address: ESP_CHIPS.esp32s3.dram, data: filledBytes(64, 1) }],
  }, {
    kind: "application",
    integrity: "intact",
    findings: ["warn overlapping-segments"],
  }),
  built("constants that are noise, as compressed assets are", { extraSegments: [assets] }, {
    kind: "application",
    integrity: "intact",
  }),
  {
    name: "constants that are noise, and one bit flipped",
    file: () => withFlip(buildEspApp({ extraSegments: [assets] }), 0x9000),
    want: { kind: "application", integrity: "corrupt", where: "checksum" },
  },
  paged("32 KiB pages, as the descriptor says", 15, "absent"),
  paged("64 KiB pages, as the descriptor says, disagreeing with the offset", 16, "findings"),
  paged("impossible pages, so whatever the device is built for", 30, "absent"),
  paged("unknown pages, so whatever the device is built for", 0, "absent"),
  {
    name: "code whose load address disagrees with its flash offset",
    file: () => reassembled({ 3: { address: 0x42000000 } }),
    want: { kind: "application", integrity: "intact", findings: ["error misaligned-segment"] },
  },
  {
    name: "first segment shorter than the descriptor",
    file: () => {
      const [first, second] = appSegments();
      const moved = (first?.data.length ?? 0) - 0x80 + (second?.data.length ?? 0);
      return reassembled({
        0: { data: first?.data.subarray(0, 0x80) ?? filledBytes(0x80, 0) },
        1: { data: filledBytes(moved, 1) },
      });
    },
    want: {
      kind: "application",
      integrity: "intact",
      findings: ["warn short-first-segment"],
      absent: ["misaligned-segment"],
    },
  },
  {
    name: "first segment empty",
    file: () => reassembled({ 0: { data: new Uint8Array(0) } }),
    want: { kind: "application", findings: ["error short-first-segment"] },
  },
];

function built(name: string, options: EspAppOptions, want: WantedVerdict): VerdictCase {
  return { name, file: () => buildEspApp(options), want };
}

function paddings(count: number) {
  return Array.from({ length: count }, () => ({ address: 0, data: new Uint8Array(8) }));
}

/** An application of esp32c6 whose code is mapped half a page of 64 KiB from where its flash offset is. */
function paged(name: string, mmuPageLog2: number, wanted: "absent" | "findings"): VerdictCase {
  const { id, iram } = ESP_CHIPS.esp32c6;
  const file = () => {
    const segments = appSegments({ chip: "esp32c6", mmuPageLog2 });
    const moved = segments.map((segment, index) =>
      index === 3 ? { ...segment, address: segment.address + 0x8000 } : segment
    );
    return assembleEspImage(moved, { chipId: id, entry: iram + 0x40 });
  };
  const verdict: WantedVerdict = wanted === "absent"
    ? { kind: "application", integrity: "intact", absent: ["misaligned-segment"] }
    : { kind: "application", integrity: "intact", findings: ["error misaligned-segment"] };
  return { name: `code half a page off: ${name}`, file, want: verdict };
}

/** An application with some segments changed, its checksum and SHA-256 right. */
function reassembled(changes: Record<number, Partial<EspSegment>>): Bytes {
  const { id, iram } = ESP_CHIPS.esp32s3;
  const segments = appSegments().map((segment, index) => ({ ...segment, ...changes[index] }));
  return assembleEspImage(segments, { chipId: id, entry: iram + 0x40 });
}
