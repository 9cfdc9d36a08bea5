/** The library that makes certificates. */
export type X509Library = typeof import("@peculiar/x509");

/** A certificate as the library has it. */
export type Certificate = InstanceType<X509Library["X509Certificate"]>;

/** An extension of a certificate. */
export type CertificateExtension = InstanceType<X509Library["Extension"]>;

/** Loads the library, which only this room needs, and before it the metadata that it relies on. */
export async function x509Library(): Promise<X509Library> {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}
