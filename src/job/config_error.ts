/** A configuration that cannot be used, with every fault that was found. */
export class ConfigError extends Error {
  /** One sentence for each fault. */
  readonly faults: readonly string[];

  /** Joins the faults into one message. */
  constructor(faults: readonly string[]) {
    super(
      faults.length === 1
        ? faults[0]
        : `${faults.length} faults:\n${faults.map((f) => `  - ${f}`).join("\n")}`,
    );
    this.name = "ConfigError";
    this.faults = faults;
  }
}
