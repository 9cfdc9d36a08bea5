import { type ChipName, chips } from "./chip.ts";

/** A device as people and platforms name it. */
export interface DeviceName {
  /** The chip, which is what an image is built for. */
  readonly chip: ChipName;
  /** Memory variant in lower case, such as `r8` or `n16r8`; no image says which one it needs. */
  readonly variant?: string;
}

const longestFirst = chips.map((chip) => chip.name).sort((one, other) => other.length - one.length);

/** Flash (`n16`, `fh4`) and external RAM (`r8`, `r8v`) as in Espressif's part numbers. */
const variantPattern = /^(?:(?:[nfh]+\d+)?r\d+v?|[nfh]+\d+)?$/;

/** Part numbers that do not begin with the name of their chip, or go on in another way. */
const partNumbers: readonly (readonly [RegExp, ChipName])[] = [
  [/^esp8684/, "esp32c2"],
  [/^esp868[56]/, "esp32c3"],
  [/^esp32(?:pico|u4wdh|d0wd|d2wd|s0wd)/, "esp32"],
];

/** No name of a device is longer; a longer text from outside is not looked at. */
const maxNameLength = 64;

/**
 * Reads the name of a device: `device = chip [ variant ]`, in any case, with `-` and `_` ignored.
 *
 * Platforms name memory variants (`esp32s3r8`, `esp32s2r2`), but an image only knows the chip.
 *
 * @example
 * ```ts
 * parseDeviceName("ESP32-S3R8"); // { chip: "esp32s3", variant: "r8" }
 * parseDeviceName("esp32c61"); // { chip: "esp32c61" }
 * parseDeviceName("esp8266"); // undefined
 * ```
 */
export function parseDeviceName(text: string): DeviceName | undefined {
  if (text.length > maxNameLength) return undefined;
  const name = text.trim().toLowerCase().replaceAll(/[-_]/g, "");
  for (const chip of longestFirst) {
    if (!name.startsWith(chip)) continue;
    const variant = name.slice(chip.length);
    if (variantPattern.test(variant)) return variant === "" ? { chip } : { chip, variant };
  }
  const part = partNumbers.find(([pattern]) => pattern.test(name));
  return part && { chip: part[1] };
}

/** True when two names mean the same kind of device: memory variants are the same chip. */
export function isSameDevice(left: string, right: string): boolean {
  const [one, other] = [parseDeviceName(left), parseDeviceName(right)];
  if (one === undefined || other === undefined) return plain(left) === plain(right);
  return one.chip === other.chip;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_\s]/g, "");
}
