/**
 * The base of every room's error: a message for people and a `code` from a closed union for the program.
 * Tests and the outcome table look at `code`, never at the prose.
 */
export abstract class CodedError<Code extends string> extends Error {
  /** Which of the room's known failures this is. */
  readonly code: Code;

  /** Message grammar: "Cannot <do> '<what>': <found>, <wanted>". No secret may stand in it. */
  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}
