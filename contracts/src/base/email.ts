import { domainToASCII, domainToUnicode } from 'node:url';
import { z } from 'zod';

/**
 * E-mail addresses: which ones are accepted, and when two are the same. A domain may be written in any script
 * (`почта@пример.рф`) and is stored and compared in its ASCII form. A sub-address (`ann+broker@…`) counts as another
 * address, because only the mail server knows what a plus means. Limits on mail count the whole mailbox.
 */

/** RFC 5321 §4.5.3.1, in bytes: before the @, a label of the domain, the domain, the address (a path of 256 less `<>`). */
const LOCAL_BYTES_MAX = 64;
const LABEL_BYTES_MAX = 63;
const DOMAIN_BYTES_MAX = 253;
const ADDRESS_BYTES_MAX = 254;
/** In characters as typed. A domain in another script is shorter than its ASCII form. */
const TYPED_MAX = 254;

/** The part before the @: the dot-atom of RFC 5322, with letters and digits of every script (RFC 6531). */
const LOCAL = /^(?!\.)(?!.*\.\.)(?!.*\.$)[\w!#$%&'*+/=?^`{|}~.\-\p{L}\p{M}\p{N}]+$/u;
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** No top-level domain has digits, except in the ASCII form of another script. */
const TOP_LEVEL = /^(?:[a-z]{2,}|xn--[a-z0-9-]+)$/;
/** ASCII characters that no domain name has. `domainToASCII` would read them as percent codes, paths or ports. */
const FOREIGN_ASCII = /(?![A-Za-z0-9.-])[\0-\x7f]/;

/** The form of an address that mail is sent to and that is compared; null for an address that no mail server takes. */
export function canonicalEmail(typed: string): string | null {
  const address = typed.trim();
  const at = address.lastIndexOf('@');
  const local = address.slice(0, Math.max(0, at)).normalize('NFC').toLowerCase();
  const domain = asciiDomain(address.slice(at + 1));
  if (domain === null || !LOCAL.test(local) || Buffer.byteLength(local) > LOCAL_BYTES_MAX) return null;
  const canonical = `${local}@${domain}`;
  return Buffer.byteLength(canonical) <= ADDRESS_BYTES_MAX ? canonical : null;
}

/** Like `canonicalEmail`, but an address older than these rules is only trimmed and lower-cased, as it always was. */
export const comparableEmail = (typed: string): string => canonicalEmail(typed) ?? typed.trim().toLowerCase();

/** The mailbox of an address: without the sub-address after a plus and, for Gmail, without dots. */
export function mailboxOf(address: string): string {
  const canonical = comparableEmail(address);
  const at = canonical.lastIndexOf('@');
  const domain = canonical.slice(at + 1);
  const [name = ''] = canonical.slice(0, at).split('+', 1);
  // Where the plus comes first, no name stands before it: the whole part before the @ names the mailbox.
  const owner = name === '' ? canonical.slice(0, at) : name;
  return GOOGLE.has(domain) ? `${owner.replaceAll('.', '')}@gmail.com` : `${owner}@${domain}`;
}
const GOOGLE: ReadonlySet<string> = new Set(['gmail.com', 'googlemail.com']);

function asciiDomain(domain: string): string | null {
  if (FOREIGN_ASCII.test(domain)) return null;
  const ascii = domainToASCII(domain);
  const labels = ascii.split('.');
  const isName =
    labels.length >= 2 &&
    labels.every((label) => label.length <= LABEL_BYTES_MAX && LABEL.test(label)) &&
    TOP_LEVEL.test(labels.at(-1) ?? '') &&
    ascii.length <= DOMAIN_BYTES_MAX;
  return isName && labels.every(isDecodable) ? ascii : null;
}

/** Whether an `xn--` label really encodes a name in another script: decoding and encoding it gives the same label. */
function isDecodable(label: string): boolean {
  if (!label.startsWith('xn--')) return true;
  const decoded = domainToUnicode(label);
  // `domainToUnicode` returns a label that it cannot decode unchanged.
  return decoded !== label && domainToASCII(decoded) === label;
}

/** The address of a person who registers and gets mail. */
export const Email = z
  .string()
  .max(TYPED_MAX)
  .refine(
    (typed) => canonicalEmail(typed) !== null,
    'an e-mail address such as ann@example.com: at most 64 bytes before the @, and a domain of two labels or more, each of 1 to 63 letters, digits and hyphens',
  )
  .meta({ format: 'idn-email', examples: ['ann@example.com'] });

/** The address of a person who signs in. It may be older than the rules above. */
export const SignInEmail = z
  .string()
  .max(TYPED_MAX)
  .regex(/^\s*[^\s@\0]+@[^\s@\0]+\s*$/, 'an e-mail address such as ann@example.com')
  .meta({ format: 'idn-email', examples: ['ann@example.com'] });
