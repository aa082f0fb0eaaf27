import type { Names } from './constitution-names.ts';

/** A voting policy, of whatever kind, as a sentence would have it. */
export function policyText(policy: unknown, names: Names): string {
  if (typeof policy !== 'object' || policy === null) return names.text(policy);
  const { kind, ...rest } = policy as { readonly kind?: unknown };
  const parts = Object.entries(rest).map(([name, value]) => {
    if (Array.isArray(value) && value.some((one) => typeof one === 'object')) {
      return `${name} [${value.map((one) => policyText(one, names)).join('; ')}]`;
    }
    const isPolicy = typeof value === 'object' && value !== null && 'kind' in value;
    return `${name} ${isPolicy ? `(${policyText(value, names)})` : names.text(value)}`;
  });
  return [String(kind), ...parts].join(' ');
}
