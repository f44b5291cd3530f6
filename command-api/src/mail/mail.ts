/**
 * The mail port. `send` settles when the mail server has taken the mail. It rejects with `MailNotTaken` where the server
 * certainly has not; after any other rejection nobody knows, and a mail that must not come twice is not sent again.
 */
export type Mailer = {
  send(mail: Mail): Promise<void>;
  close(): Promise<void>;
};

/** Plain text: it needs no trust in whoever shows it. */
export type Mail = {
  to: string;
  subject: string;
  text: string;
};

/** The mail server does not have the mail. The message names nobody. */
export class MailNotTaken extends Error {
  override name = 'MailNotTaken';
  /** This mail will never be taken. */
  readonly final: boolean;
  /** The codes of the server's reply, such as `550 5.1.1`; what is wrong with the connection where there was none. */
  readonly reply: string;
  /** No server was spoken to, which the outage of the mail server tells. */
  readonly away: boolean;
  constructor(
    message: string,
    { final, reply, away = false }: { final: boolean; reply: string; away?: boolean },
  ) {
    super(message);
    this.final = final;
    this.reply = reply;
    this.away = away;
    // It is the server's doing: where it was heard of helps nobody.
    this.stack = message;
  }
}
