import { ConfigError } from "../../src/job/config_error.ts";
import { type JobConfig, readJobConfig } from "../../src/job/job_config.ts";
import { FLASH_OPTIONS } from "../../src/job/job_options.ts";
import { type Environment, type Flags, Settings } from "../../src/job/option.ts";

/** The least that a job needs to be told. */
export const ENOUGH: Environment = {
  FIRMWARE: "registry.example/team/thermo:1.1",
  DEVICE: "esp32s3",
  HOST_ENDPOINT: "192.168.11.20",
  DICE_AUTH_URL: "http://attestation:8000",
};

/** Reads a configuration; by default everything needed is there. */
export function configOf(flags: Flags = {}, environment: Environment = {}, password?: string): JobConfig {
  return readJobConfig(new Settings(FLASH_OPTIONS, flags, { ...ENOUGH, ...environment }), password);
}

/** The faults of a configuration; none when it can be used. */
export function faultsOf(
  flags: Flags = {},
  environment: Environment = {},
  password?: string,
): readonly string[] {
  try {
    configOf(flags, environment, password);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}
