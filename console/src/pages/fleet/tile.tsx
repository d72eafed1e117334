type Props = { label: string; value: string; note?: string | undefined };

export const Tile = ({ label, value, note }: Props) => (
  <div className="rounded-2xl border bg-surface p-4">
    <dt className="text-xs text-quiet">{label}</dt>
    <dd className="numbers mt-1 text-2xl font-semibold tracking-tight">{value}</dd>
    {note && <dd className="numbers mt-0.5 text-xs text-quiet">{note}</dd>}
  </div>
);
