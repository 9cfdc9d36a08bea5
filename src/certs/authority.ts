import type { World } from "../world.ts";
import {
  AGENT_NAME,
  authorityExtensions,
  type CertificateSettings,
  checkSettings,
} from "./certificate_profile.ts";
import { signingAlgorithm } from "./key_algorithm.ts";
import { issued, type IssuedCertificate, newKeys, newSerialNumber, pemPair } from "./new_certificate.ts";
import { checkPathsAreFree, type PemPaths, writePair } from "./pem_pair.ts";
import { x509Library } from "./x509_library.ts";

/** Ten years: an authority is compiled into devices, and outlives the agents' certificates. */
const AUTHORITY_DAYS = 3650;

/** Where an authority is to be made, and how. */
export interface AuthoritySettings extends CertificateSettings {
  /** New files; the key signs leaves and is best kept off the cluster. */
  readonly paths: PemPaths;
}

/**
 * Makes the authority that devices pin: a self-signed CA:TRUE certificate and its key. With it, the agent's own
 * certificate can be renewed as often as one likes and no device needs to be flashed for it.
 *
 * Throws {@linkcode CertsError} `invalid-setting`, `exists` or `io`.
 */
export async function initAuthority(
  settings: AuthoritySettings,
  world: Pick<World, "clock" | "files">,
): Promise<IssuedCertificate> {
  const { paths } = settings;
  const checked = checkSettings(settings, {
    commonName: `${AGENT_NAME} authority`,
    days: AUTHORITY_DAYS,
    now: world.clock.now(),
  });
  await checkPathsAreFree(paths, world.files);
  const x509 = await x509Library();
  const keys = await newKeys(checked.algorithm);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: [{ CN: [checked.commonName] }],
    keys,
    notBefore: checked.notBefore,
    notAfter: checked.notAfter,
    signingAlgorithm: signingAlgorithm(checked.algorithm),
    extensions: await authorityExtensions(x509, keys.publicKey),
  });
  await writePair(await pemPair(x509, certificate, keys.privateKey), paths, world.files);
  return await issued(certificate, { paths, commonName: checked.commonName });
}
