/** What a device says of itself in `GET /info`; a cut answer lacks some of it. */
export interface DeviceInfo {
  /** Chip name as the firmware gives it, for example `esp32s3`. */
  readonly device?: string;
  /** Name of the application, as the operator calls it. */
  readonly application?: string;
  /** Version of the running firmware. */
  readonly version?: string;
  /** True when the JSON was cut: the firmware builds it in 100 bytes. */
  readonly cut: boolean;
}

const FIELDS = ["device", "application", "version"] as const;

/** Longest value we keep: the firmware's own buffer is 100 bytes. */
const MAX_VALUE = 128;

/**
 * Reads the body of `/info`, whole or cut (ota-protocol.md, "Device HTTP"): a value counts only when its closing
 * quote arrived. Returns `undefined` for anything that is not such a document.
 *
 * @example
 * parseDeviceInfo('{"device":"esp32s3","application":"thermo","vers');
 * // { device: "esp32s3", application: "thermo", cut: true }
 */
export function parseDeviceInfo(body: string): DeviceInfo | undefined {
  // Trust boundary: the body comes from the network; only short printable strings leave this function.
  const text = body.trim().replace(/\0+$/, "");
  if (!text.startsWith("{")) return undefined;
  const whole = parseObject(text);
  const values = whole ?? wholePairs(text);
  const info: { -readonly [Field in keyof DeviceInfo]: DeviceInfo[Field] } = { cut: whole === undefined };
  for (const field of FIELDS) {
    const value = values.get(field);
    if (typeof value === "string" && value.length <= MAX_VALUE && /^[\x20-\x7e]+$/.test(value)) {
      info[field] = value;
    }
  }
  return FIELDS.some((field) => info[field] !== undefined) ? info : undefined;
}

function parseObject(text: string): ReadonlyMap<string, unknown> | undefined {
  try {
    return new Map(Object.entries(JSON.parse(text)));
  } catch {
    return undefined;
  }
}

/** The leading pairs of a cut object that are whole strings without escapes; what follows the first other is unknown. */
function wholePairs(text: string): ReadonlyMap<string, unknown> {
  const pairs = new Map<string, string>();
  const pair = /[{,]\s*"([^"\\]*)"\s*:\s*"([^"\\]*)"\s*/y;
  for (let match = pair.exec(text); match !== null; match = pair.exec(text)) {
    pairs.set(match[1] ?? "", match[2] ?? "");
  }
  return pairs;
}
