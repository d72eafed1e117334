import { format, formatDistanceToNow } from "date-fns";
import { enUS } from "date-fns/locale/en-US";
import { ptBR } from "date-fns/locale/pt-BR";
import { language } from "@/lib/i18n";

const tag = () => (language() === "pt" ? "pt-BR" : "en-US");
const locale = () => (language() === "pt" ? ptBR : enUS);

/** Unix seconds as "3 minutes ago". */
export const ago = (at: number): string => formatDistanceToNow(at * 1000, { addSuffix: true, locale: locale() });

/** Unix seconds as date and time of this place. */
export const moment = (at: number): string => format(at * 1000, "PPpp", { locale: locale() });

/** Unix seconds as the time of day, with the day where it is another one. */
export const clock = (at: number): string => {
  const today = new Date().toDateString() === new Date(at * 1000).toDateString();
  return format(at * 1000, today ? "p" : "d MMM, p", { locale: locale() });
};

/** US$, with as many digits as a small sum needs. */
export const usd = (amount: number): string =>
  new Intl.NumberFormat(tag(), {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: amount !== 0 && Math.abs(amount) < 0.1 ? 4 : 2,
  }).format(amount);

export const number = (value: number, digits = 0): string =>
  new Intl.NumberFormat(tag(), { maximumFractionDigits: digits }).format(value);

export const percent = (share: number): string =>
  new Intl.NumberFormat(tag(), { style: "percent", maximumFractionDigits: 0 }).format(share);

export const bytes = (size: number): string => {
  const [unit, factor] = size >= 1e6 ? (["megabyte", 1e6] as const) : (["kilobyte", 1e3] as const);
  return new Intl.NumberFormat(tag(), { style: "unit", unit, maximumFractionDigits: 1 }).format(size / factor);
};

/** Seconds as "42 s", "3 min 20 s", "2 h 5 min". */
export const span = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds));
  if (seconds > 0 && seconds < 10) return `${number(seconds, 1)} s`;
  if (whole < 60) return `${whole} s`;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  return rest > 0 && minutes < 10 ? `${minutes} min ${rest} s` : `${minutes} min`;
};
