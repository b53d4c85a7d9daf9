import { plainToInstance, Type } from 'class-transformer';
import {
  Equals,
  IsArray,
  IsInt,
  IsISO8601,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  ValidateNested,
  validateSync,
} from 'class-validator';

export const FORMAT = 'authplane-backup/1';
const UNREADABLE = 'the manifest of the backup cannot be read';

/** One table in a backup; its rows are the entry `tables/<name>`, in COPY's text format. */
export class TableRecord {
  @IsString() readonly name: string;
  @IsArray() @IsString({ each: true }) readonly columns: string[];
  @IsInt() readonly rows: number;
  @Matches(/^[0-9a-f]{64}$/) readonly sha256: string;
}

/** What a backup says of itself, in its last entry. */
export class Manifest {
  @Equals(FORMAT, { message: `this is not a backup of the format ${FORMAT}` }) readonly format: string;
  /** Of the server that made it. */
  @IsString() readonly version: string;
  @IsISO8601() readonly createdAt: string;
  @IsString() readonly issuer: string;
  /** Names of all that had run. */
  @IsArray() @IsString({ each: true }) readonly migrations: string[];
  /** The first day of which there are tokens or audit events, so that days get their partitions back. */
  @IsOptional() @IsISO8601() readonly oldestDay?: string;
  /** Marks of the secrets that its rows need, by the names of their settings. A mark tells secrets apart and nothing about them. */
  @IsObject() readonly secretMarks: Readonly<Record<string, string>>;
  /** Where private signing keys lie: with `keyfile` they are not in the backup. */
  @IsString() readonly keyStore: string;
  @IsArray() @ValidateNested({ each: true }) @Type(() => TableRecord) readonly tables: TableRecord[];
}

/** @throws Error that says what is wrong with it */
export function manifestOf(text: string): Manifest {
  const manifest = plainToInstance(Manifest, parsed(text));
  if (!(manifest instanceof Manifest)) throw new Error(UNREADABLE);
  const [wrong] = validateSync(manifest, { stopAtFirstError: true });
  if (wrong) throw new Error(Object.values(wrong.constraints ?? {})[0] ?? UNREADABLE);
  return manifest;
}

function parsed(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    throw new Error(UNREADABLE);
  }
}
