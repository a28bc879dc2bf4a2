/** The account that everything here belongs to, and its region. */
export interface Account {
  readonly region: string;
  readonly accountId: string;
}
