import type { CredentialSettings } from "./credentials.ts";
import type { Mirror } from "./endpoints.ts";
import type { ClientIdentity, WireSettings } from "./wire.ts";

/** How registries are reached and what they are shown. */
export interface RegistrySettings extends CredentialSettings, WireSettings {
  /** Registries spoken to without TLS: `host` (any port) or `host:port`. Loopback ones are anyway. */
  readonly plainHttp: readonly string[];
  /** User name and password for this run; they beat every file. */
  readonly credentials?: { readonly username: string; readonly password: string };
  /** A certificate shown to one registry, and to no other host. */
  readonly clientIdentity?: ClientIdentity;
  /** Places asked before the registries themselves. */
  readonly mirrors: readonly Mirror[];
  /** Directory of the content store; nothing is kept without it. */
  readonly cache?: string;
  /** Milliseconds without progress after which a connection counts as broken; 30 000 when absent. */
  readonly idleTimeout?: number;
}
