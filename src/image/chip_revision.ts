/** A revision as images and eFuses store it, major * 100 + minor, written like `v1.3`. */
export function formatRevision(revision: number): string {
  return `v${Math.floor(revision / 100)}.${revision % 100}`;
}

/** The revisions from `minimum` on, up to `maximum` if there is one, for people. */
export function formatRevisionRange(minimum: number, maximum?: number): string {
  if (maximum !== undefined) return `${formatRevision(minimum)} to ${formatRevision(maximum)}`;
  return minimum === 0 ? "any" : `${formatRevision(minimum)} or later`;
}

/** A stored maximum revision: 0 and 0xFFFF both mean that none is set. */
export function maximumRevision(stored: number): number | undefined {
  return stored === 0 || stored === 0xffff ? undefined : stored;
}
