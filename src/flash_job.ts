import { demandFitImage, imageVersion, type InspectedFirmware, inspectFirmware } from "./check_firmware.ts";
import { demandSignature } from "./check_signature.ts";
import { compareVersions } from "./compare_versions.ts";
import { within } from "./deadline.ts";
import { confirmUpdate } from "./confirm_update.ts";
import { deliverUpdate } from "./deliver_update.ts";
import { formatDeviceAddress } from "./device/device_address.ts";
import { DeviceClient, type InfoReading } from "./device/device_client.ts";
import { UptimeWitness } from "./device/uptime_witness.ts";
import type { FirmwareFile } from "./firmware/firmware_file.ts";
import { identifyDevice } from "./identify_device.ts";
import type { Job } from "./job/job.ts";
import type { JobConfig } from "./job/job_config.ts";
import { type Ending, JobRecord } from "./job/job_record.ts";
import { endingAfterAsking, endingOf } from "./job_ending.ts";
import { lookAtDevice } from "./look_at_device.ts";
import { fetchFirmwareFile, resolveFirmwareImage } from "./pull_firmware.ts";
import { readLocalSetup } from "./read_local_setup.ts";
import { formatReference } from "./registry/reference.ts";
import { openRegistry } from "./registry/registry_client.ts";
import type { FileFactsOfJob, JobReport } from "./report/job_report.ts";
import type { Progress } from "./report/progress.ts";
import { sideBySide } from "./side_by_side.ts";
import type { World } from "./world.ts";

/** What a job is run with. */
export interface FlashOptions {
  /** Aborted when the program is told to stop. */
  readonly signal: AbortSignal;
  /** Told how far the long steps have come. */
  readonly onProgress: (progress: Progress) => void;
  /** How to start this very program, for the built-in agent. */
  readonly self: { readonly path: string; readonly args: readonly string[] };
}

/**
 * Updates one device and proves it: pull, look, check, deliver, confirm. Never throws: every way out ends in a report,
 * after the agent is stopped and the temporary files are gone.
 */
export async function flashJob(config: JobConfig, world: World, options: FlashOptions): Promise<JobReport> {
  const record = new JobRecord(world.clock);
  const warn = (message: string): void => {
    record.warn(message);
    world.log.warn(message);
  };
  config.warnings.forEach(warn);
  record.facts.reference = formatReference(config.firmware);
  record.facts.device = { address: formatDeviceAddress(config.host), chip: config.pull.device };
  record.facts.identity = identityOf(config);
  const deadline = {
    clock: world.clock,
    milliseconds: config.timeouts.job,
    signal: options.signal,
    what: "the job",
  };
  try {
    const ending = await within(deadline, async (signal) => {
      const local = { agent: config, keyFiles: config.check.trustedKeyFiles };
      const setup = await readLocalSetup(local, world, { signal, warn });
      const { self, onProgress } = options;
      return await runJob({ config, world, record, ...setup, self, onProgress, warn }, signal);
    });
    return record.report(ending);
  } catch (error) {
    world.log.debug(error instanceof Error ? error.stack ?? error.message : String(error));
    const ending = endingOf(options.signal.aborted ? options.signal.reason : error);
    return record.report(record.duration("deliver") === undefined ? ending : endingAfterAsking(ending));
  }
}

/** The story. Every line either brings what the next one needs, or throws what the report will say. */
async function runJob(job: Job, signal: AbortSignal): Promise<Ending> {
  await using resources = new AsyncDisposableStack();
  const { config, world } = job;
  const http = resources.use(world.openHttp({ proxy: "direct" }));
  const reach = { clock: world.clock, timeout: config.timeouts.device };
  const device = new DeviceClient(config.host, { http, ...reach });
  const witness = resources.use(new UptimeWitness(config.host, { connect: world.connect, ...reach }));

  const [[firmware, before], identity] = await sideBySide(signal, [
    (signal) => obtainFitFirmware(job, { device, resources }, signal),
    (signal) => identifyDevice(job, device, signal),
  ]);
  const settled = compareVersions(job, before, imageVersion(firmware.inspected.inspection));
  if (settled !== undefined) return settled;

  const delivery = await deliverUpdate(job, { device, witness, file: firmware.file, identity }, signal);
  return await confirmUpdate(
    job,
    { http, witness, before, delivery, imageVersion: imageVersion(firmware.inspected.inspection) },
    signal,
  );
}

/** What the pull brings: the file, and what it turned out to be. */
interface PulledFirmware {
  readonly file: FirmwareFile;
  readonly inspected: InspectedFirmware;
}

/**
 * Pulls, looks and compares. A file that this device cannot run ends the job here, without waiting for the verdict
 * of the attestation server.
 */
async function obtainFitFirmware(
  job: Job,
  { device, resources }: { readonly device: DeviceClient; readonly resources: AsyncDisposableStack },
  signal: AbortSignal,
): Promise<readonly [PulledFirmware, InfoReading]> {
  const { config } = job;
  const [firmware, before] = await sideBySide(signal, [
    (signal) => pullFirmware(job, resources, signal),
    (signal) => lookAtDevice(job, device, signal),
  ]);
  demandFitImage(firmware.inspected, config.check, {
    device: config.pull.device,
    reportedDevice: before.kind === "info" ? before.info.device : undefined,
  }, job.warn);
  return [firmware, before];
}

async function pullFirmware(
  job: Job,
  resources: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<PulledFirmware> {
  const { config, world, record, keys } = job;
  const file = await record.phase("pull", () => pullFile(job, resources, signal));
  const { check } = config;
  const inspected = await record.phase(
    "check",
    () => inspectFirmware(file.path, { check, keys }, world, signal),
  );
  record.facts.file = fileFacts(file, inspected);
  return { file, inspected };
}

/** The file that the reference leads to, verified; signed as the policy demands. */
async function pullFile(
  job: Job,
  resources: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<FirmwareFile> {
  const { config, world, record } = job;
  using registry = openRegistry(config.pull.registry, world);
  const pull = { reference: config.firmware, settings: config.pull, warn: job.warn };
  const image = await resolveFirmwareImage(pull, registry, world, signal);
  record.facts.image = {
    ...(image.index === undefined ? {} : { indexDigest: image.index.digest }),
    manifestDigest: image.manifest.digest,
    platform: `${image.platform.os}/${image.platform.architecture}`,
  };
  const [file, signature] = await sideBySide(signal, [
    async (signal) =>
      resources.use(
        await fetchFirmwareFile(image, config.pull, registry, world, {
          signal,
          onProgress: (doneBytes, totalBytes) => job.onProgress({ step: "Pulling", doneBytes, totalBytes }),
        }),
      ),
    (signal) => demandSignature(image, config.signature, { registry, world, signal, warn: job.warn }),
  ]);
  record.facts.image = { ...record.facts.image, layerDigest: file.layerDigest, signature };
  return file;
}

function fileFacts(file: FirmwareFile, { inspection }: InspectedFirmware): FileFactsOfJob {
  const application = inspection.kind === "application" ? inspection : undefined;
  return {
    path: file.pathInImage,
    size: file.size,
    sha256: file.sha256,
    ...(application === undefined ? {} : { chip: application.chip.name }),
    ...(application?.descriptor === undefined
      ? {}
      : { project: application.descriptor.project, version: application.descriptor.version }),
  };
}

function identityOf(config: JobConfig): { uuid?: string; applicationType?: string } {
  const { uuid, applicationType } = config.identity;
  return {
    ...(uuid === undefined ? {} : { uuid }),
    ...(applicationType === undefined ? {} : { applicationType }),
  };
}
