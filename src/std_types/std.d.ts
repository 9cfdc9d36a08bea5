// The types of what we use of the standard library, whose npm form carries none. Bind a name of deno.json's
// "imports" to jsr:@std/... where JSR is at hand, and its declaration here can go.

declare module "@std/assert" {
  type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertObjectMatch(
    actual: Record<PropertyKey, unknown>,
    expected: Record<PropertyKey, unknown>,
    message?: string,
  ): void;
  export function assertGreater<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertInstanceOf<E>(
    actual: unknown,
    expected: abstract new (...args: never[]) => E,
    message?: string,
  ): asserts actual is E;
  export function assertThrows<E extends Error = Error>(
    action: () => unknown,
    errorClass?: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    action: () => PromiseLike<unknown>,
    errorClass?: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): Promise<E>;
  export function fail(message?: string): never;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions {
    readonly boolean?: readonly string[];
    readonly string?: readonly string[];
    readonly collect?: readonly string[];
    readonly alias?: Readonly<Record<string, string>>;
    readonly stopEarly?: boolean;
    readonly unknown?: (argument: string, key?: string, value?: unknown) => unknown;
  }
  export interface ParsedArgs {
    readonly _: readonly (string | number)[];
    readonly [name: string]: unknown;
  }
  export function parseArgs(args: readonly string[], options?: ParseOptions): ParsedArgs;
}

declare module "@std/fmt/bytes" {
  export function format(bytes: number, options?: { readonly binary?: boolean }): string;
}

declare module "@std/fmt/duration" {
  export function format(
    milliseconds: number,
    options?: { readonly style?: "narrow" | "digital" | "full"; readonly ignoreZero?: boolean },
  ): string;
}

declare module "@std/fmt/colors" {
  export function setColorEnabled(enabled: boolean): void;
  export function bold(text: string): string;
  export function dim(text: string): string;
  export function red(text: string): string;
  export function green(text: string): string;
  export function yellow(text: string): string;
  export function cyan(text: string): string;
}

declare module "@std/semver" {
  export interface SemVer {
    readonly major: number;
    readonly minor: number;
    readonly patch: number;
  }
  export function tryParse(text: string): SemVer | undefined;
  export function compare(left: SemVer, right: SemVer): number;
}

declare module "@std/streams/limited-bytes-transform-stream" {
  export class LimitedBytesTransformStream extends TransformStream<Uint8Array, Uint8Array> {
    constructor(size: number, options?: { readonly error?: boolean });
  }
}

declare module "@std/text/closest-string" {
  export function closestString(word: string, candidates: readonly string[]): string;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(left: string, right: string): number;
}

declare module "@std/yaml" {
  export function parseAll(content: string): unknown[];
}
