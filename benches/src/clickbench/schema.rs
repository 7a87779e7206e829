//! The columns of the table `hits`, and where their values come from.

use super::data::Special;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// 16 bits
    Small,
    /// 32 bits
    Int,
    /// 64 bits
    Big,
    /// Text of any length
    Text,
    /// Text of one character
    Char,
    /// Day
    Date,
    /// Second
    Timestamp,
}

/// Where a column's values come from when they are generated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values {
    /// The same everywhere.
    One(i64),
    /// Between both, the lower ones more often.
    Skewed(i64, i64),
    /// So many of a thousand rows have a value up to the other number, the others zero.
    Rare(u64, i64),
    /// So many of a thousand rows have a text of so many different ones, the others an empty one.
    Words(u64, u64),
    /// One of these, the first ones more often.
    OneOf(&'static [&'static str]),
    /// Hangs on what the row is about.
    Of(Special),
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// As the queries spell it.
    pub(super) name: &'static str,
    /// Its type.
    pub(super) data_type: Type,
    /// Its generated values.
    pub(super) values: Values,
}

const fn column(name: &'static str, data_type: Type, values: Values) -> Column {
    Column { name, data_type, values }
}

use Special as S;
use Type::{Big, Char, Date, Int, Small, Text, Timestamp};
use Values::{Of, One, OneOf, Rare, Skewed, Words};

/// All columns, in the order of the public table.
pub(super) const COLUMNS: [Column; 105] = [
    column("WatchID", Big, Of(S::Watch)),
    column("JavaEnable", Small, Rare(720, 1)),
    column("Title", Text, Of(S::Title)),
    column("GoodEvent", Small, One(1)),
    column("EventTime", Timestamp, Of(S::Second)),
    column("EventDate", Date, Of(S::Day)),
    column("CounterID", Int, Of(S::Counter)),
    column("ClientIP", Int, Of(S::Address)),
    column("RegionID", Int, Of(S::Region)),
    column("UserID", Big, Of(S::User)),
    column("CounterClass", Small, Skewed(-1, 1)),
    column("OS", Small, Of(S::System)),
    column("UserAgent", Small, Of(S::Agent)),
    column("URL", Text, Of(S::Page)),
    column("Referer", Text, Of(S::Referer)),
    column("IsRefresh", Small, Rare(130, 1)),
    column("RefererCategoryID", Small, Rare(600, 20_000)),
    column("RefererRegionID", Int, Rare(600, 9_000)),
    column("URLCategoryID", Small, Rare(800, 20_000)),
    column("URLRegionID", Int, Rare(800, 9_000)),
    column("ResolutionWidth", Small, Of(S::Width)),
    column("ResolutionHeight", Small, Of(S::Height)),
    column("ResolutionDepth", Small, Skewed(23, 32)),
    column("FlashMajor", Small, Skewed(0, 11)),
    column("FlashMinor", Small, Skewed(0, 9)),
    column("FlashMinor2", Text, Words(900, 130)),
    column("NetMajor", Small, Skewed(0, 4)),
    column("NetMinor", Small, Skewed(0, 5)),
    column("UserAgentMajor", Small, Skewed(0, 40)),
    column("UserAgentMinor", Text, OneOf(&["0", "9", "10", "6", "1", "11"])),
    column("CookieEnable", Small, One(1)),
    column("JavascriptEnable", Small, One(1)),
    column("IsMobile", Small, Of(S::Mobile)),
    column("MobilePhone", Small, Of(S::Phone)),
    column("MobilePhoneModel", Text, Of(S::PhoneModel)),
    column("Params", Text, Words(40, 20_000)),
    column("IPNetworkID", Int, Skewed(1, 4_000_000)),
    column("TraficSourceID", Small, Of(S::Source)),
    column("SearchEngineID", Small, Of(S::Engine)),
    column("SearchPhrase", Text, Of(S::Phrase)),
    column("AdvEngineID", Small, Rare(6, 60)),
    column("IsArtifical", Small, Rare(20, 1)),
    column("WindowClientWidth", Small, Of(S::WindowWidth)),
    column("WindowClientHeight", Small, Of(S::WindowHeight)),
    column("ClientTimeZone", Small, Skewed(-1, 720)),
    column("ClientEventTime", Timestamp, Of(S::LocalSecond)),
    column("SilverlightVersion1", Small, Rare(400, 5)),
    column("SilverlightVersion2", Small, Rare(150, 1)),
    column("SilverlightVersion3", Int, Rare(400, 60_000)),
    column("SilverlightVersion4", Small, Rare(20, 5)),
    column("PageCharset", Text, OneOf(&["windows-1251;charset", "utf-8", "windows-1251", "koi8-r", ""])),
    column("CodeVersion", Int, Skewed(1, 1_700)),
    column("IsLink", Small, Rare(60, 1)),
    column("IsDownload", Small, Rare(4, 1)),
    column("IsNotBounce", Small, Rare(15, 1)),
    column("FUniqID", Big, Rare(800, 9_000_000_000_000_000_000)),
    column("OriginalURL", Text, Of(S::Original)),
    column("HID", Int, Skewed(1, 1_073_000_000)),
    column("IsOldCounter", Small, One(0)),
    column("IsEvent", Small, Rare(8, 1)),
    column("IsParameter", Small, One(0)),
    column("DontCountHits", Small, Rare(20, 1)),
    column("WithHash", Small, Rare(10, 1)),
    column("HitColor", Char, OneOf(&["5", "T", "E", "D", "g"])),
    column("LocalEventTime", Timestamp, Of(S::LocalSecond)),
    column("Age", Small, Of(S::Age)),
    column("Sex", Small, Of(S::Sex)),
    column("Income", Small, Skewed(0, 3)),
    column("Interests", Small, Rare(500, 30_000)),
    column("Robotness", Small, Rare(20, 4)),
    column("RemoteIP", Int, Of(S::Address)),
    column("WindowName", Int, Rare(30, 90_000)),
    column("OpenerName", Int, Rare(30, 90_000)),
    column("HistoryLength", Small, Skewed(-1, 60)),
    column("BrowserLanguage", Text, OneOf(&["ru", "en", "uk", ""])),
    column("BrowserCountry", Text, OneOf(&["RU", "UA", "KZ", "BY", ""])),
    column("SocialNetwork", Text, Words(3, 12)),
    column("SocialAction", Text, Words(3, 4)),
    column("HTTPError", Small, Rare(2, 500)),
    column("SendTiming", Int, Rare(400, 30_000)),
    column("DNSTiming", Int, Rare(400, 3_000)),
    column("ConnectTiming", Int, Rare(400, 5_000)),
    column("ResponseStartTiming", Int, Rare(700, 12_000)),
    column("ResponseEndTiming", Int, Rare(700, 25_000)),
    column("FetchTiming", Int, Rare(700, 60_000)),
    column("SocialSourceNetworkID", Small, Rare(15, 12)),
    column("SocialSourcePage", Text, Words(8, 3_000)),
    column("ParamPrice", Big, Rare(3, 900_000)),
    column("ParamOrderID", Text, Words(2, 50_000)),
    column("ParamCurrency", Text, OneOf(&["", "RUB"])),
    column("ParamCurrencyID", Small, Rare(3, 3)),
    column("OpenstatServiceName", Text, Words(12, 8)),
    column("OpenstatCampaignID", Text, Words(12, 2_000)),
    column("OpenstatAdID", Text, Words(12, 4_000)),
    column("OpenstatSourceID", Text, Words(12, 900)),
    column("UTMSource", Text, Words(25, 60)),
    column("UTMMedium", Text, Words(25, 12)),
    column("UTMCampaign", Text, Words(25, 900)),
    column("UTMContent", Text, Words(15, 2_000)),
    column("UTMTerm", Text, Words(15, 6_000)),
    column("FromTag", Text, Words(5, 300)),
    column("HasGCLID", Small, Rare(10, 1)),
    column("RefererHash", Big, Of(S::RefererHash)),
    column("URLHash", Big, Of(S::PageHash)),
    column("CLID", Int, Rare(15, 2_000_000)),
];
