import { symptoms, type Symptom } from '#libs/oauth';

/** A symptom under the slug that is its anchor on the page of its code. */
export interface Entry {
  readonly slug: string;
  readonly symptom: Symptom;
}

/** Everything this server refuses, by the code under which a caller meets it, in the order of the table. */
export const errorReference: ReadonlyMap<string, readonly Entry[]> = group();

function group(): Map<string, Entry[]> {
  const byCode = new Map<string, Entry[]>();
  for (const [slug, symptom] of Object.entries<Symptom>(symptoms)) {
    const entries = byCode.get(symptom.code) ?? [];
    byCode.set(symptom.code, [...entries, { slug, symptom }]);
  }
  return byCode;
}
