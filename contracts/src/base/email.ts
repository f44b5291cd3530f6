import { domainToASCII, domainToUnicode } from 'node:url';
import { z } from 'zod';

/**
 * E-mail addresses: which ones are taken, and what makes two the same. A domain may be written in any script
 * (`почта@пример.рф`); it is kept and compared in its ASCII form. A sub-address (`ann+broker@…`) is an address of its
 * own: what a plus means is the mail server's matter. Only limits of mail count a mailbox as a whole.
 */

/** RFC 5321 §4.5.3.1: octets of what stands before the @, of a label, of a domain, and of the whole (a path of 256 less `<>`). */
const LOCAL_BYTES_MAX = 64;
const LABEL_BYTES_MAX = 63;
const DOMAIN_BYTES_MAX = 253;
const ADDRESS_BYTES_MAX = 254;
/** Characters as typed: a domain in another script is shorter than its ASCII form. */
const TYPED_MAX = 254;

/** RFC 5322's dot-atom, and letters and digits of every script (RFC 6531). */
const LOCAL = /^(?!\.)(?!.*\.\.)(?!.*\.$)[\w!#$%&'*+/=?^`{|}~.\-\p{L}\p{M}\p{N}]+$/u;
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** No top-level domain has digits, except in the ASCII form of another script. */
const TOP_LEVEL = /^(?:[a-z]{2,}|xn--[a-z0-9-]+)$/;
/** The only ASCII characters of a domain name. `domainToASCII` reads more into others: percent codes, paths, ports. */
const FOREIGN_ASCII = /(?![A-Za-z0-9.-])[\0-\x7f]/;

/** The one form of an address: what mail is sent to, and what is compared. Null where no mail server takes it. */
export function canonicalEmail(typed: string): string | null {
  const address = typed.trim();
  const at = address.lastIndexOf('@');
  const local = address.slice(0, Math.max(0, at)).normalize('NFC').toLowerCase();
  const domain = asciiDomain(address.slice(at + 1));
  if (domain === null || !LOCAL.test(local) || Buffer.byteLength(local) > LOCAL_BYTES_MAX) return null;
  const canonical = `${local}@${domain}`;
  return Buffer.byteLength(canonical) <= ADDRESS_BYTES_MAX ? canonical : null;
}

/** As `canonicalEmail`; an address that was taken before there were rules for it is compared as it always was. */
export const comparableEmail = (typed: string): string => canonicalEmail(typed) ?? typed.trim().toLowerCase();

/** The mailbox behind an address: without what follows a plus and, where dots mean nothing, without dots. */
export function mailboxOf(address: string): string {
  const canonical = comparableEmail(address);
  const at = canonical.lastIndexOf('@');
  const domain = canonical.slice(at + 1);
  const [name = ''] = canonical.slice(0, at).split('+', 1);
  // An address that begins with a plus has nothing before it that would name a mailbox.
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

/** Whether a label that looks like the ASCII form of another script is one: it leads there, and from there back. */
function isDecodable(label: string): boolean {
  if (!label.startsWith('xn--')) return true;
  const decoded = domainToUnicode(label);
  // A label that cannot be decoded stays as it is.
  return decoded !== label && domainToASCII(decoded) === label;
}

/** The address of somebody who is to get mail. */
export const Email = z
  .string()
  .max(TYPED_MAX)
  .refine(
    (typed) => canonicalEmail(typed) !== null,
    'an e-mail address such as ann@example.com: at most 64 bytes before the @, and a domain of two labels or more, each of 1 to 63 letters, digits and hyphens',
  )
  .meta({ format: 'idn-email', examples: ['ann@example.com'] });

/** The address of somebody who signs in: it may be older than the rules above. */
export const SignInEmail = z
  .string()
  .max(TYPED_MAX)
  .regex(/^\s*[^\s@\0]+@[^\s@\0]+\s*$/, 'an e-mail address such as ann@example.com')
  .meta({ format: 'idn-email', examples: ['ann@example.com'] });
