/** How far a chip has come: `preview` and `esptool-only` chips have no released ESP-IDF. */
export type ChipStatus = "stable" | "preview" | "esptool-only";

/** A half-open range of addresses: `from` is inside, `to` is not. */
export type AddressRange = readonly [from: number, to: number];

/** Signature schemes of Secure Boot. */
export type SecureBootScheme = "v1" | "v2-rsa" | "v2-ecdsa-p192" | "v2-ecdsa-p256" | "v2-ecdsa-p384";

/** What is known of one chip: everything that depends on the chip and is needed to judge an image for it. */
export interface Chip {
  /** The chip id in the image header. */
  readonly id: number;
  /** The target's name as `idf.py set-target` takes it. */
  readonly name: string;
  /** How far support for the chip has come. */
  readonly status: ChipStatus;
  /** Where its bootloader stands in the flash. */
  readonly bootloaderOffset: number;
  /** Load addresses of constant data that stays in the flash. */
  readonly flashData: AddressRange;
  /** Load addresses of code that stays in the flash; the same range where the chip has one bus for both. */
  readonly flashCode: AddressRange;
  /** Load addresses in external RAM, mapped like the flash. */
  readonly externalRam?: AddressRange;
  /** Load addresses in memory that survives deep sleep. */
  readonly rtc: readonly AddressRange[];
  /** Whether internal RAM has separate addresses for data and instructions. */
  readonly splitRam: boolean;
  /** Whether a segment may exceed 16 MB. */
  readonly wideSegments: boolean;
  /** Whether the size of a page of the flash mapping can be configured; otherwise it is 64 KB. */
  readonly configurablePage: boolean;
  /** Flash frequencies by header code, in MHz. */
  readonly flashFrequencies: Readonly<Record<number, string>>;
  /** Bits of the anti-rollback field in the eFuses. */
  readonly secureVersionBits: number;
  /** The schemes the chip can check; absent where not known. */
  readonly schemes?: readonly SecureBootScheme[];
  /** How many signature blocks its bootloader looks at. */
  readonly signatureBlocks: number;
}

const usual = { 0xf: "80", 0: "40", 1: "26", 2: "20" };
const without26 = { 0xf: "80", 0: "40", 2: "20" };
const slow = { 0xf: "48", 0: "24", 1: "16", 2: "12" };
const commonTraits = {
  rtc: [[0x5000_0000, 0x5001_0000]],
  splitRam: false,
  wideSegments: false,
  configurablePage: false,
  flashFrequencies: usual,
  secureVersionBits: 16,
  signatureBlocks: 3,
} as const;

function sharedBus(from: number, to: number): Pick<Chip, "flashData" | "flashCode"> {
  return { flashData: [from, to], flashCode: [from, to] };
}

/** Every chip with an id of its own. */
export const chips = [
  {
    ...commonTraits,
    id: 0,
    name: "esp32",
    status: "stable",
    bootloaderOffset: 0x1000,
    flashData: [0x3f40_0000, 0x3f80_0000],
    flashCode: [0x400d_0000, 0x4040_0000],
    rtc: [[0x3ff8_0000, 0x3ff8_2000], [0x400c_0000, 0x400c_2000], [0x5000_0000, 0x5000_2000]],
    splitRam: true,
    secureVersionBits: 32,
    schemes: ["v1", "v2-rsa"],
    signatureBlocks: 1,
  },
  {
    ...commonTraits,
    id: 2,
    name: "esp32s2",
    status: "stable",
    bootloaderOffset: 0x1000,
    flashData: [0x3f00_0000, 0x3ff8_0000],
    flashCode: [0x4008_0000, 0x4080_0000],
    rtc: [[0x3ff9_e000, 0x3ffa_0000], [0x4007_0000, 0x4007_2000], [0x5000_0000, 0x5000_2000]],
    splitRam: true,
    schemes: ["v2-rsa"],
  },
  {
    ...commonTraits,
    id: 5,
    name: "esp32c3",
    status: "stable",
    bootloaderOffset: 0,
    flashData: [0x3c00_0000, 0x3c80_0000],
    flashCode: [0x4200_0000, 0x4280_0000],
    splitRam: true,
    schemes: ["v2-rsa"],
  },
  {
    ...commonTraits,
    id: 9,
    name: "esp32s3",
    status: "stable",
    bootloaderOffset: 0,
    flashData: [0x3c00_0000, 0x3e00_0000],
    flashCode: [0x4200_0000, 0x4400_0000],
    rtc: [[0x5000_0000, 0x5000_2000], [0x600f_e000, 0x6010_0000]],
    splitRam: true,
    wideSegments: true,
    schemes: ["v2-rsa"],
  },
  {
    ...commonTraits,
    id: 12,
    name: "esp32c2",
    status: "stable",
    bootloaderOffset: 0,
    flashData: [0x3c00_0000, 0x3c40_0000],
    flashCode: [0x4200_0000, 0x4240_0000],
    rtc: [],
    splitRam: true,
    configurablePage: true,
    flashFrequencies: { 0xf: "60", 0: "30", 1: "20", 2: "15" },
    secureVersionBits: 4,
    schemes: ["v2-ecdsa-p192", "v2-ecdsa-p256"],
    signatureBlocks: 1,
  },
  {
    ...commonTraits,
    id: 13,
    name: "esp32c6",
    status: "stable",
    bootloaderOffset: 0,
    ...sharedBus(0x4200_0000, 0x4300_0000),
    configurablePage: true,
    flashFrequencies: { 0: "80 or 40", 2: "20" },
    schemes: ["v2-rsa", "v2-ecdsa-p192", "v2-ecdsa-p256"],
  },
  {
    ...commonTraits,
    id: 16,
    name: "esp32h2",
    status: "stable",
    bootloaderOffset: 0,
    ...sharedBus(0x4200_0000, 0x4300_0000),
    configurablePage: true,
    flashFrequencies: slow,
    schemes: ["v2-rsa", "v2-ecdsa-p192", "v2-ecdsa-p256"],
  },
  {
    ...commonTraits,
    id: 18,
    name: "esp32p4",
    status: "stable",
    bootloaderOffset: 0x2000,
    ...sharedBus(0x4000_0000, 0x4400_0000),
    externalRam: [0x4800_0000, 0x4c00_0000],
    rtc: [[0x5010_8000, 0x5011_0000]],
    wideSegments: true,
    schemes: ["v2-rsa", "v2-ecdsa-p192", "v2-ecdsa-p256", "v2-ecdsa-p384"],
  },
  {
    ...commonTraits,
    id: 20,
    name: "esp32c61",
    status: "stable",
    bootloaderOffset: 0,
    ...sharedBus(0x4200_0000, 0x4400_0000),
    wideSegments: true,
    configurablePage: true,
    flashFrequencies: without26,
    schemes: ["v2-ecdsa-p192", "v2-ecdsa-p256"],
  },
  {
    ...commonTraits,
    id: 23,
    name: "esp32c5",
    status: "stable",
    bootloaderOffset: 0x2000,
    ...sharedBus(0x4200_0000, 0x4400_0000),
    wideSegments: true,
    flashFrequencies: without26,
    secureVersionBits: 9,
    schemes: ["v2-rsa", "v2-ecdsa-p192", "v2-ecdsa-p256", "v2-ecdsa-p384"],
  },
  {
    ...commonTraits,
    id: 25,
    name: "esp32h21",
    status: "preview",
    bootloaderOffset: 0,
    ...sharedBus(0x4200_0000, 0x4300_0000),
    configurablePage: true,
    flashFrequencies: slow,
  },
  {
    ...commonTraits,
    id: 28,
    name: "esp32h4",
    status: "preview",
    bootloaderOffset: 0x2000,
    ...sharedBus(0x4200_0000, 0x4400_0000),
    wideSegments: true,
    configurablePage: true,
    flashFrequencies: slow,
  },
  {
    ...commonTraits,
    id: 31,
    name: "esp32e22",
    status: "esptool-only",
    bootloaderOffset: 0,
    ...sharedBus(0x3c00_0000, 0x4000_0000),
    // nothing is published about its pages: no check may rest on one size
    configurablePage: true,
  },
  {
    ...commonTraits,
    id: 32,
    name: "esp32s31",
    status: "preview",
    bootloaderOffset: 0x2000,
    ...sharedBus(0x4000_0000, 0x4400_0000),
    externalRam: [0x5000_0000, 0x5400_0000],
    rtc: [],
    wideSegments: true,
    configurablePage: true,
    flashFrequencies: without26,
  },
] as const satisfies readonly Chip[];

/** The name of a chip that has an id of its own. */
export type ChipName = (typeof chips)[number]["name"];

/** Ids of silicon that was never sold, seen in old images. */
const preProductionNames: ReadonlyMap<number, string> = new Map([
  [4, "esp32s3-beta2"],
  [7, "esp32c6-beta"],
  [10, "esp32h2-beta1"],
  [14, "esp32h2-beta2"],
  [17, "esp32c5-beta3"],
]);

/** The chip an image says it is for. */
export interface ImageChip {
  /** All 16 bits of the header's chip id. */
  readonly id: number;
  /** The target's name; for retired and unknown ids a description. */
  readonly name: string;
  /** Whether and how the id is known. */
  readonly status: ChipStatus | "pre-production" | "unknown";
}

/** The chip with this id, if it is a known one. */
export function chipOfId(id: number): Chip | undefined {
  return chips.find((chip) => chip.id === id);
}

/** Names the chip id of an image header; never fails, an unknown id is named as such. */
export function identifyChip(id: number): ImageChip {
  const chip = chipOfId(id);
  if (chip !== undefined) return { id, name: chip.name, status: chip.status };
  const retired = preProductionNames.get(id);
  if (retired !== undefined) return { id, name: retired, status: "pre-production" };
  return { id, name: `unknown chip 0x${id.toString(16).padStart(4, "0")}`, status: "unknown" };
}

/** Whether the CPU reads a segment at this address through the flash mapping instead of having it copied. */
export function isFlashMapped(chip: Chip, address: number): boolean {
  return [chip.flashData, chip.flashCode, chip.externalRam].some((range) =>
    range !== undefined && isWithin(range, address)
  );
}

/** Whether `address` lies in `range`. */
export function isWithin(range: AddressRange, address: number): boolean {
  return address >= range[0] && address < range[1];
}
