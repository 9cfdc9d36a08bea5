/** One way in which a server accepts credentials (RFC 9110, section 11.3). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Values by lower-case name, unquoted; the first of two equal names counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Servers limit all headers together to 8 or 16 KiB; a longer value is nobody's honest challenge. */
const HEADER_LIMIT = 16 * 1024;

// RFC 9110, sections 5.6 and 11:
//
//   WWW-Authenticate = #challenge                       ; comma-separated, empty elements allowed
//   challenge        = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
//   auth-param       = token BWS "=" BWS ( token / quoted-string )
//   token68          = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
//   quoted-string    = DQUOTE *( qdtext / "\" char ) DQUOTE
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const SEPARATORS = /[\t ,]*/y;
const SCHEME = new RegExp(`(${TOKEN})(?=[\\t ,]|$)`, "y");
const PARAMETER = new RegExp(
  `[\\t ]*(${TOKEN})[\\t ]*=[\\t ]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))(?=[\\t ]*(?:,|$))`,
  "y",
);
const TOKEN68 = /[\t ]+[A-Za-z0-9._~+/-]+=*(?=[\t ]*(?:,|$))/y;

/**
 * Reads a `WWW-Authenticate` value, in which `fetch` has joined repeated headers with commas, so that several
 * challenges in one value are the normal case. What does not follow the grammar ends the reading; the challenges
 * before it count.
 *
 * @example
 * parseChallenges('Bearer realm="https://a/token",service=a, Basic realm="a"').map(({ scheme }) => scheme); // ["bearer", "basic"]
 */
export function parseChallenges(header: string | null): Challenge[] {
  const challenges: Challenge[] = [];
  // trust boundary: the header is the server's; the expressions below read it once, from left to right
  if (header === null || header.length > HEADER_LIMIT) return challenges;
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(header);
    if (match !== null) position = pattern.lastIndex;
    return match;
  };

  for (;;) {
    take(SEPARATORS);
    const scheme = take(SCHEME)?.[1];
    if (scheme === undefined) return challenges;
    const parameters = new Map<string, string>();
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    for (;;) {
      const beforeSeparators = position;
      take(SEPARATORS);
      const parameter = take(PARAMETER);
      if (parameter === null) {
        position = beforeSeparators;
        break;
      }
      const [, name = "", quoted, plain] = parameter;
      const value = plain ?? (quoted ?? "").replace(/\\(.)/gs, "$1");
      if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
    }
    if (parameters.size === 0) take(TOKEN68);
  }
}

/** The challenges we can answer, strongest first: Bearer, whose token dies soon, before Basic. */
export function supportedChallenges(challenges: readonly Challenge[]): Challenge[] {
  return ["bearer", "basic"].flatMap((scheme) =>
    challenges.filter((challenge) => challenge.scheme === scheme)
  );
}
