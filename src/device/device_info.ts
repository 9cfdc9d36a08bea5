/** What a device says of itself in `GET /info`; a cut answer lacks some of it. */
export interface DeviceInfo {
  /** Chip name as the firmware gives it, for example `esp32s3`. */
  readonly device?: string;
  /** Name of the application. */
  readonly application?: string;
  /** Version of the application, as its firmware writes it. */
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
  const info: { -readonly [Field in keyof DeviceInfo]: DeviceInfo[Field] } = { cut: whole === undefined };
  for (const field of FIELDS) {
    const value = whole === undefined ? cutValue(text, field) : whole[field];
    if (typeof value === "string" && value.length <= MAX_VALUE && /^[\x20-\x7e]+$/.test(value)) {
      info[field] = value;
    }
  }
  return FIELDS.some((field) => info[field] !== undefined) ? info : undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** The value of a field in JSON that was cut, if the value itself is whole and holds no escape. */
function cutValue(text: string, field: string): string | undefined {
  return new RegExp(`[{,]\\s*"${field}"\\s*:\\s*"([^"\\\\]*)"`).exec(text)?.[1];
}
