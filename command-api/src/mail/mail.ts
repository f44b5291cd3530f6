/** The mail port. `send` settles when the mail server has taken the mail, or rejects: then it may be sent again. */
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
