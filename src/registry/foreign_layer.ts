import type { Descriptor } from "./descriptor.ts";
import { mayLeadTo } from "./host_class.ts";
import { isForeignLayer } from "./media_types.ts";

/**
 * Where a layer may be that its registry need not hold (image-spec descriptor.md, `urls`). They are the image
 * author's words: asked last, never with credentials, only over TLS, and not into a network the registry is not in.
 */
export function foreignUrls({ mediaType, urls }: Descriptor, registry: URL): URL[] {
  if (!isForeignLayer(mediaType)) return [];
  return (urls ?? []).filter((url) => URL.canParse(url)).map((url) => new URL(url)).filter((url) =>
    isEncrypted(url, registry) && url.username === "" && url.password === "" && mayLeadTo(registry, url)
  );
}

/** A registry that is itself spoken to without TLS may name places without it. */
function isEncrypted(url: URL, registry: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && registry.protocol === "http:");
}
