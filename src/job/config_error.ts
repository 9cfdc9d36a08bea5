/** A configuration that cannot be used, with every fault that was found. */
export class ConfigError extends Error {
  /** One sentence for each fault. */
  readonly faults: readonly string[];

  /** Joins the faults into one message of one line, as it may become the final line of a log. */
  constructor(faults: readonly string[]) {
    super(
      faults.length === 1
        ? faults[0]
        : `${faults.length} faults: ${faults.map((fault, index) => `${index + 1}) ${fault}`).join("; ")}`,
    );
    this.name = "ConfigError";
    this.faults = faults;
  }
}
