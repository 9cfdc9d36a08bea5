/** Where one segment stands in an image. */
export interface SegmentPlace {
  /** Offset of its 8-byte header. */
  readonly header: number;
  /** Offset of its data. */
  readonly data: number;
  /** Offset after its data. */
  readonly end: number;
}

/** Where the parts of a well-formed image stand, so that a test can name the byte it spoils. */
export interface EspLayout {
  /** The segments in order. */
  readonly segments: readonly SegmentPlace[];
  /** Offset after the last segment, where the padding begins. */
  readonly segmentsEnd: number;
  /** Offset of the checksum byte. */
  readonly checksum: number;
  /** Offset of the SHA-256, equal to `end` where the image has none. */
  readonly digest: number;
  /** Length of the plain image: what follows is signature or padding. */
  readonly end: number;
}

/** The layout of a well-formed image made by the builders; it trusts every length, so only valid images may come in. */
export function espLayout(image: Uint8Array): EspLayout {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const segments: SegmentPlace[] = [];
  let at = 24;
  for (let i = 0; i < view.getUint8(1); i++) {
    const end = at + 8 + view.getUint32(at + 4, true);
    segments.push({ header: at, data: at + 8, end });
    at = end;
  }
  const checksum = at + 15 - at % 16;
  const digest = checksum + 1;
  return { segments, segmentsEnd: at, checksum, digest, end: digest + (view.getUint8(23) === 0 ? 0 : 32) };
}
