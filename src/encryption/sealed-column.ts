/**
 * A column of values that `Encryption` sealed, declared by the module that owns the table, so that re-encryption finds them. Every
 * `sealed_…` column is on the list of the composition root, or test/stores/reencryption.spec.ts says why not.
 */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** Its primary key, in the order of which the table is walked. */
  readonly key: string;
  readonly keyType: 'uuid' | 'text';
  /** What else of the row its context is made of. */
  readonly reads: readonly string[];
  /** @param row the primary key and what `reads` names, as text */
  readonly context: (row: Readonly<Record<string, string>>) => string;
}

export const nameOf = ({ table, column }: SealedColumn): string => `${table}.${column}`;
