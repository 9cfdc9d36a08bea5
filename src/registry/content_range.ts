/** `Content-Range` of a 206 (RFC 9110, section 14.4); `total` is missing where the server wrote `*`. */
export interface ContentRange {
  /** Offset of the first byte sent. */
  readonly first: number;
  /** Offset of the last byte sent. */
  readonly last: number;
  /** Length of the whole content. */
  readonly total: number | undefined;
}

/**
 * Reads `bytes <first>-<last>/<total or *>`; `undefined` for anything else and for ranges that cannot be.
 *
 * @example
 * parseContentRange("bytes 5-9/10"); // { first: 5, last: 9, total: 10 }
 */
export function parseContentRange(header: string | null): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(header ?? "");
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const total = match[3] === "*" ? undefined : Number(match[3]);
  return last < first || (total !== undefined && last >= total) ? undefined : { first, last, total };
}

/** True when the range is the rest of a content of `size` bytes from `offset` on. */
export function continues(range: ContentRange | undefined, offset: number, size: number): boolean {
  return range !== undefined && range.first === offset && range.last === size - 1 &&
    (range.total === undefined || range.total === size);
}
