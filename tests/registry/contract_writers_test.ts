import { assertEquals } from "@std/assert";
import { dockerTarget, labTarget, type RunningTarget } from "./contract_targets.ts";
import { havePrograms } from "../lab/have_programs.ts";
import { BuildahStore, writeWithSkopeo } from "./image_writers.ts";
import { openTestRegistry, pullAll, testWorld } from "./registry_rig.ts";

/** Pulls what a program has pushed; the digests of the documents prove the bytes. */
async function expectPull(target: RunningTarget, name: string): Promise<void> {
  const { credentials } = target;
  using client = openTestRegistry(credentials ? { credentials } : {}, testWorld());
  const { image, layers } = await pullAll(client, name);
  assertEquals([image.config.os, image.config.architecture], ["custom", "esp32s3"]);
  assertEquals(image.config.labels["com.urunc.iot.path"], "/firmware/app.bin");
  assertEquals(layers.length, image.config.diffIds.length);
}

async function openTargets(): Promise<readonly (readonly [string, RunningTarget])[]> {
  const opened: (readonly [string, RunningTarget])[] = [["the lab registry", await labTarget("token")]];
  for (const setUp of ["open", "htpasswd", "token"] as const) {
    opened.push([`docker-registry, ${setUp}`, await dockerTarget(setUp)]);
  }
  return opened;
}

Deno.test("contract: images written by skopeo and buildah", async (test) => {
  if (!await havePrograms(["docker-registry", "htpasswd", "skopeo", "buildah"])) return;
  await using store = await BuildahStore.build();
  for (const [where, target] of await openTargets()) {
    await using _stopped = target;
    const credentials = target.credentials ? { credentials: target.credentials } : {};
    const nameOf = (writer: string) => `${target.host}/written/${writer}:v1`;
    await test.step(`skopeo, OCI, ${where}`, async () => {
      await writeWithSkopeo({ name: nameOf("oci"), ...credentials }, "oci");
      await expectPull(target, nameOf("oci"));
    });
    await test.step(`skopeo, Docker schema 2, ${where}`, async () => {
      await writeWithSkopeo({ name: nameOf("v2s2"), ...credentials }, "v2s2");
      await expectPull(target, nameOf("v2s2"));
    });
    await test.step(`buildah, ${where}`, async () => {
      await store.push({ name: nameOf("buildah"), ...credentials });
      await expectPull(target, nameOf("buildah"));
    });
  }
});
