import { demandTitle, looksLikeTar, TAR_SIGN_LENGTH } from "./artifact_layers.ts";
import type { LayerForm } from "./artifact_layers.ts";
import { chooseFirmware, type FirmwareChoice, mayBeFirmware } from "./firmware_choice.ts";
import { FirmwareError } from "./firmware_error.ts";
import type { ExtractOptions, FirmwareRequest } from "./firmware_file.ts";
import { shownPath } from "./firmware_path.ts";
import type { FirmwareSpool, Spooled } from "./firmware_spool.ts";
import { readLayer } from "./layer_content.ts";
import { peek } from "./layer_decoder.ts";
import { type LayerEntry, readEntries } from "./layer_entries.ts";
import { LayerOverlay } from "./layer_overlay.ts";
import type { LayerSource } from "./layer_source.ts";
import { type EntryBudget, type FileLocation, LayerTree } from "./layer_tree.ts";

/** Entries and implied directories of all layers: a full distribution has 50,000, and 100,000 nodes take 20 MB. */
const MAX_ENTRIES = 100_000;

/** What a layer may hold beside a firmware of the largest size, in bytes: tar headers, a licence, a manifest. */
const LAYER_OVERHEAD = 1024 * 1024;

/** A verified firmware in the spool. */
export interface Located {
  /** The copy. */
  readonly spooled: Spooled;
  /** Path in the image, or title of the layer. */
  readonly pathInImage: string;
  /** Digest of the layer that holds it. */
  readonly layerDigest: string;
}

/** A file that was copied while its layer was read, before it was certain that it is the firmware. */
interface Guess {
  readonly path: string;
  readonly location: FileLocation;
  readonly spooled: Spooled;
}

/** Looks through layers for the firmware. */
export class LayerSearch {
  readonly #request: FirmwareRequest;
  readonly #spool: FirmwareSpool;
  readonly #options: ExtractOptions;
  readonly #overlay = new LayerOverlay();
  readonly #budget: EntryBudget;
  #guess: Guess | undefined;

  /** Nothing is read yet; `spool` takes the copies. */
  constructor(request: FirmwareRequest, spool: FirmwareSpool, options: ExtractOptions) {
    this.#request = request;
    this.#spool = spool;
    this.#options = options;
    this.#budget = { left: request.maxEntries ?? MAX_ENTRIES };
  }

  /**
   * Reads the layers from the top down until it is certain which file is the firmware, copying on the way what may be
   * it. Only where that guess was wrong (a link, a file that an upper layer removed) is a layer read twice.
   */
  async run(layers: readonly LayerSource[], form: LayerForm): Promise<Located> {
    for (const [index, layer] of [...layers.entries()].reverse()) {
      const tree = new LayerTree(index, this.#budget);
      const whole = await this.#read(layer, (content) => this.#scan(content, { layer, tree, index, form }));
      if (whole !== undefined) return wholeLayer(layer, whole);
      this.#overlay.addBelow(tree);
      if (index === 0) this.#overlay.complete();
      const choice = chooseFirmware(this.#overlay, this.#request);
      if (choice.kind === "file") return await this.#located(layers, choice);
    }
    throw new FirmwareError(
      "none-found",
      "Cannot find the firmware: there are no layers, expected at least one",
    );
  }

  #read<Result>(
    layer: LayerSource,
    consume: (content: AsyncIterable<Uint8Array>) => Promise<Result>,
  ): Promise<Result> {
    return readLayer(layer, consume, {
      signal: this.#options.signal,
      limit: this.#request.maxFirmwareSize + LAYER_OVERHEAD,
    });
  }

  /** Gathers the entries of an archive into the tree; a layer that is one file is copied as a whole. */
  async #scan(
    content: AsyncIterable<Uint8Array>,
    { layer, tree, index, form }: {
      readonly layer: LayerSource;
      readonly tree: LayerTree;
      readonly index: number;
      readonly form: LayerForm;
    },
  ): Promise<Spooled | undefined> {
    const { start, all } = await peek(content, TAR_SIGN_LENGTH);
    const isFile = form === "file" || (form === "either" && !looksLikeTar(start));
    if (isFile) {
      demandTitle(layer, this.#request.path);
      return await this.#spool.write(all);
    }
    await readEntries(all, async (entry, body) => {
      const path = tree.add(entry);
      if (path !== undefined && this.#isWorthCopying(entry, { path, index })) {
        const location = { layer: index, entry: entry.index, size: entry.size };
        this.#guess = { path, location, spooled: await this.#spool.write(body) };
      }
    });
    return undefined;
  }

  /** The spool holds one file: the first that may be the firmware, or what its own layer replaces it with later. */
  #isWorthCopying(entry: LayerEntry, at: { readonly path: string; readonly index: number }): boolean {
    if (entry.type !== "file" || !mayBeFirmware(at.path, this.#request)) return false;
    if (this.#guess === undefined) return this.#overlay.isOpen(at.path);
    return this.#guess.path === at.path && this.#guess.location.layer === at.index;
  }

  async #located(
    layers: readonly LayerSource[],
    { path, location }: FirmwareChoice & { readonly kind: "file" },
  ): Promise<Located> {
    const layer = layers[location.layer];
    if (layer === undefined) throw new RangeError(`there is no layer ${location.layer}`);
    const guessed = this.#guess?.location;
    const spooled = guessed?.layer === location.layer && guessed.entry === location.entry
      ? this.#guess?.spooled
      : await this.#copy(layer, location.entry);
    if (spooled?.size !== location.size) {
      throw new RangeError(`'${shownPath(path)}' changed between two readings`);
    }
    return { spooled, pathInImage: path, layerDigest: layer.digest };
  }

  /** Reads a layer again for one of its entries. */
  #copy(layer: LayerSource, wanted: number): Promise<Spooled | undefined> {
    return this.#read(layer, async (content) => {
      let spooled: Spooled | undefined;
      await readEntries(content, async (entry, body) => {
        if (entry.index === wanted) spooled = await this.#spool.write(body);
      });
      return spooled;
    });
  }
}

function wholeLayer(layer: LayerSource, spooled: Spooled): Located {
  const name = layer.title ?? layer.digest;
  if (spooled.size > 0) return { spooled, pathInImage: name, layerDigest: layer.digest };
  throw new FirmwareError(
    "none-found",
    `Cannot use '${shownPath(name)}' as firmware: it is empty, expected a firmware`,
  );
}
