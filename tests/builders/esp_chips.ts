/** What the builders need to know of one chip to lay out an image for it. */
export interface EspChipFacts {
  /** chip_id of the image header. */
  readonly id: number;
  /** First address through which flash is mapped as data. */
  readonly data: number;
  /** First address through which flash is mapped as code; the same as `data` where the range is shared. */
  readonly code: number;
  /** A data RAM address that is not flash-mapped. */
  readonly dram: number;
  /** An instruction RAM address that is not flash-mapped. */
  readonly iram: number;
  /** Where in flash the ROM looks for the bootloader. */
  readonly bootloaderOffset: number;
}

/** Every chip of the table, by its `idf.py set-target` name. */
export const ESP_CHIPS = {
  esp32: chip(0, 0x3f400000, 0x400d0000, 0x3ffb0000, 0x40080000, 0x1000),
  esp32s2: chip(2, 0x3f000000, 0x40080000, 0x3ffc0000, 0x40024000, 0x1000),
  esp32c3: chip(5, 0x3c000000, 0x42000000, 0x3fc80000, 0x40380000, 0),
  esp32s3: chip(9, 0x3c000000, 0x42000000, 0x3fc90000, 0x40374000, 0),
  esp32c2: chip(12, 0x3c000000, 0x42000000, 0x3fca0000, 0x4037c000, 0),
  esp32c6: chip(13, 0x42000000, 0x42000000, 0x40810000, 0x40800000, 0),
  esp32h2: chip(16, 0x42000000, 0x42000000, 0x40810000, 0x40800000, 0),
  esp32p4: chip(18, 0x40000000, 0x40000000, 0x4ff10000, 0x4ff00000, 0x2000),
  esp32c61: chip(20, 0x42000000, 0x42000000, 0x40810000, 0x40800000, 0),
  esp32c5: chip(23, 0x42000000, 0x42000000, 0x40810000, 0x40800000, 0x2000),
  esp32h21: chip(25, 0x42000000, 0x42000000, 0x40810000, 0x40800000, 0),
  esp32h4: chip(28, 0x42000000, 0x42000000, 0x40810000, 0x40800000, 0x2000),
  esp32e22: chip(31, 0x3c000000, 0x3e000000, 0x40810000, 0x40800000, 0),
  esp32s31: chip(32, 0x40000000, 0x40000000, 0x2f010000, 0x2f000000, 0x2000),
} as const satisfies Record<string, EspChipFacts>;

/** A chip the builders can make an image for. */
export type EspChip = keyof typeof ESP_CHIPS;

/** The names of all chips, in the order of their numbers. */
export const ESP_CHIP_NAMES = Object.keys(ESP_CHIPS) as EspChip[];

function chip(
  ...[id, data, code, dram, iram, bootloaderOffset]: [number, number, number, number, number, number]
): EspChipFacts {
  return { id, data, code, dram, iram, bootloaderOffset };
}
