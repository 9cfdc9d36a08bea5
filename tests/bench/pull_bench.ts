import { createHash } from "node:crypto";
import { buildImage } from "../builders/oci_image.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import { tarArchive, tarDirectory, tarFile } from "../builders/tar.ts";
import { available, startDockerRegistry } from "../lab/docker_registry.ts";
import { MAIN, processEnvironment } from "../lab/program.ts";
import { skopeoAvailable } from "../lab/registry_skopeo.ts";
import { firmwareLike } from "./firmware_like.ts";
import { canMeasure, type Cost, measure, type MeasuredCommand, median } from "./measured_command.ts";

/** Odd, so that there is a median. */
const ROUNDS = 5;

const MIB = 1024 * 1024;

/**
 * A small nursery: the chunks that pass by are garbage outside the heap, which is given back only when the nursery is
 * full. 20 MiB less at the peak, and no slower (measured).
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=1";

/** Both sides of the comparison. */
interface Contest {
  readonly ours: readonly Cost[];
  readonly theirs: readonly Cost[];
}

/**
 * Pulls and unpacks a small and a large firmware from a real docker-registry on loopback: our program as a user starts
 * it, and `skopeo copy` to a directory followed by `tar -x` of the layer, turn by turn. Prints medians and ratios.
 */
export async function run(): Promise<void> {
  if (!await canMeasure() || !await available() || !await skopeoAvailable()) {
    throw new Error(
      "Cannot run the benchmark: it needs Debian's time, docker-registry, apache2-utils and skopeo",
    );
  }
  await using registry = await startDockerRegistry();
  const rows: string[][] = [];
  const peaks: number[] = [];
  for (const size of [4 * MIB, 256 * MIB]) {
    const firmware = firmwareLike(size);
    const layer = buildLayer(tarArchive([tarDirectory("firmware"), tarFile("firmware/app.bin", firmware)]), {
      format: "oci",
      compression: "gzip",
    });
    const platform = { os: "custom", architecture: "esp32s3" };
    const reference = await registry.put(
      buildImage({ format: "oci", platform, layers: [layer] }),
      "bench/app",
      `s${size}`,
    );
    const sha256 = createHash("sha256").update(firmware).digest("hex");
    const { ours, theirs } = await contest({ reference, layerHex: layer.descriptor.digest.slice(7), sha256 });
    const [we, they] = [median(ours), median(theirs)];
    peaks.push(we.peak);
    const name = `${size / MIB} MiB (${(size / layer.bytes.length).toFixed(2)}:1)`;
    for (const [figure, unit] of [["wall", "s"], ["cpu", "s"], ["peak", "MiB"]] as const) {
      const shown = (cost: Cost): string => `${cost[figure].toFixed(unit === "s" ? 2 : 1)} ${unit}`;
      rows.push([name, figure, shown(we), shown(they), (we[figure] / they[figure]).toFixed(2)]);
    }
  }
  console.log(`Medians of ${ROUNDS} rounds, turn by turn`);
  console.log(table([["firmware", "figure", "flashjob pull", "skopeo copy + tar -x", "ratio"], ...rows]));
  const [small = NaN, large = NaN] = peaks;
  console.log(
    `Peak memory grows by ${(large - small).toFixed(1)} MiB from the small firmware to the large one`,
  );
}

async function contest(
  image: { readonly reference: string; readonly layerHex: string; readonly sha256: string },
): Promise<Contest> {
  const ours: Cost[] = [];
  const theirs: Cost[] = [];
  // One round before the first counts for nothing: it fills the caches of both.
  for (let round = 0; round <= ROUNDS; round++) {
    const directory = await Deno.makeTempDir({ prefix: "bench-pull-" });
    try {
      const [we, they] = [flashjobPull(image.reference, directory), skopeoAndTar(image, directory)];
      // Who goes first changes from round to round.
      const costs = round % 2 === 0
        ? { we: await measure(we), they: await measure(they) }
        : { they: await measure(they), we: await measure(we) };
      for (const file of [`${directory}/app.bin`, `${directory}/unpacked/firmware/app.bin`]) {
        const found = createHash("sha256").update(await Deno.readFile(file)).digest("hex");
        if (found !== image.sha256) throw new Error(`Cannot compare: '${file}' is not the firmware`);
      }
      if (round === 0) continue;
      ours.push(costs.we);
      theirs.push(costs.they);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
  return { ours, theirs };
}

function flashjobPull(reference: string, directory: string): MeasuredCommand {
  return {
    path: Deno.execPath(),
    args: [
      "run",
      "--no-prompt",
      "-A",
      V8_FLAGS,
      MAIN,
      "pull",
      reference,
      "--device",
      "esp32s3",
      "--output",
      `${directory}/app.bin`,
    ],
    env: { ...processEnvironment(), NO_COLOR: "1" },
  };
}

/** skopeo verifies and keeps the compressed layer, tar unpacks it. */
function skopeoAndTar(
  image: { readonly reference: string; readonly layerHex: string },
  directory: string,
): MeasuredCommand {
  const script = [
    'skopeo --insecure-policy --registries.d "$2" --tmpdir "$2" --override-os custom --override-arch esp32s3 ' +
    'copy --quiet --src-tls-verify=false "docker://$1" "dir:$2/copied"',
    'mkdir "$2/unpacked"',
    'tar -xzf "$2/copied/$3" -C "$2/unpacked"',
  ].join(" && ");
  return {
    path: "/bin/sh",
    args: ["-c", script, "sh", image.reference, directory, image.layerHex],
    env: { PATH: "/usr/bin:/bin", HOME: directory },
  };
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    .join("\n");
}
